"""One process per engine; each speaks the protocol of `benchmarks.latency.wire`."""
