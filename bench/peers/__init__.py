"""What the benchmarks compare with and the project itself does not need: fetched by hash, each in a place of its own."""
