"""Observing: what calls cost and how they go, as metrics, traces and logs.

Everything is read off the calls' own ledgers; nothing is measured twice.
"""
