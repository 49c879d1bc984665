"""What a browser sees: the page of a recorded call."""
