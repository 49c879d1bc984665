"""Measuring: callers who talk in real time, what they hear, and what it amounts to."""
