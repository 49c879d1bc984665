"""Live translation, measured."""
