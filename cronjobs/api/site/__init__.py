"""The addresses of the installation: its state, nodes, queues and description."""
