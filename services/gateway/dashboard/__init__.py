"""The dashboard page: static files, served by the gateway under `/` and `/static/`; a package so that they are installed."""
