"""Turns a Python function into a tool that a model can call."""
