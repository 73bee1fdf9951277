"""Measures Touchline beside its peers: `python -m bench`. See README.md here."""
