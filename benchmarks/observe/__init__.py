"""What is observed: calls on a real server, a real Prometheus that scrapes it, and its figures."""
