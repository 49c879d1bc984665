"""What a user writes and holds: agents, calls, transcripts and latency; no I/O."""
