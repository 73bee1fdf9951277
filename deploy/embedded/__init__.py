"""The local stack: Kafka, Postgres, Zipkin and the services on one machine, nothing needed but Python."""

import os

# Whoever starts processes here also asks them over gRPC, whose own care for forks kills one child in four of a client that
# is at work before it becomes the other program. It is read when gRPC is loaded: import this before.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
