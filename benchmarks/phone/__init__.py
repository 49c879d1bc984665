"""Measurements of the telephone: many calls, a flood, a bad network."""
