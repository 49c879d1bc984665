"""Calls on a cluster: what Ray's ways cost, and what is left of calls when a part dies."""
