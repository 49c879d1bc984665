"""Several processes that carry calls, and the front that spreads callers over them."""
