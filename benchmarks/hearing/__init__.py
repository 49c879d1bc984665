"""Live transcription over connections that are cut."""
