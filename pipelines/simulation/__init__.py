"""Calls without audio or servers: the real pipeline, scripted models, time that jumps."""
