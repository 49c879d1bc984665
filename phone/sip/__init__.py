"""Signalling of telephone calls: bytes and the time in, decisions out; no sockets, no clock."""
