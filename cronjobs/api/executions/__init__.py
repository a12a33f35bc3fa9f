"""The addresses of executions."""
