"""Nodes in the admin: whether they live, what they run, and asking one to drain."""
