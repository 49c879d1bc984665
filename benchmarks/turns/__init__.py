"""Turn-taking, measured on whole calls: who has the floor, and what was heard."""
