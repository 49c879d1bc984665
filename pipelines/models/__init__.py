"""Clients of the model servers: hearing, thinking, speaking."""
