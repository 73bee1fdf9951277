"""Measures Touchline beside its peers: `python -m bench`. See README.md here."""

import deploy.embedded  # noqa: F401, before gRPC is loaded
