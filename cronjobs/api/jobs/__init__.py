"""The addresses of jobs, and of the definitions that they can be made of."""
