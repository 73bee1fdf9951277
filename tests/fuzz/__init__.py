"""Bad input for everything that reads: no crash, no hang, no half effect; what is refused is refused with its field and reason."""
