"""Each alert's fault, caused on the running system: `make drill`. The rules are evaluated as Prometheus would."""
