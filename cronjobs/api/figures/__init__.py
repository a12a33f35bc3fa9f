"""The addresses of figures: about jobs, conversations, and everything for a Prometheus server."""
