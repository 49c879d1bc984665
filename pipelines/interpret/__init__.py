"""Interpreting: what is said in one language is heard in another, while it is being said."""
