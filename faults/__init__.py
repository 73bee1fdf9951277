"""Seeded random schedules of faults on the real Kafka and Postgres, each judged by an oracle of its own."""

import deploy.embedded  # noqa: F401, before gRPC is loaded
