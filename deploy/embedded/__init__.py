"""The local stack: Kafka, Postgres, Zipkin and the services on one machine, nothing needed but Python."""
