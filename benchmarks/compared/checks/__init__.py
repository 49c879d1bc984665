"""One process per framework, in its own environment: builds the agent and holds the script."""
