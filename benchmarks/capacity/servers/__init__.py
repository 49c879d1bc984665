"""Servers that take calls over the network, one process each, for `benchmarks.capacity`."""
