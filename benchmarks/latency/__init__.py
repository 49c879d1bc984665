"""Voice-to-voice latency, beside peers, on the same fixed-latency backends."""
