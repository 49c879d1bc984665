"""The same agent in four frameworks: how long it is, and whether it runs."""
