"""Made-up weeks of survey answers, contacts and promises, all from one seed, with trouble planted in them: to see the broadcast work."""
