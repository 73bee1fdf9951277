"""The processes that are measured; each is told by its arguments where Kafka is, and what to read and write."""
