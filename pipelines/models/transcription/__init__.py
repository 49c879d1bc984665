"""File transcription: recordings of any length, by any provider's rules."""
