"""Hours of whole calls on one server while things go wrong, and a verdict on what is left."""
