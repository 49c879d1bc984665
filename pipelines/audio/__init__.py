"""Samples: reading and writing WAV, conversions, resampling, voice activity."""
