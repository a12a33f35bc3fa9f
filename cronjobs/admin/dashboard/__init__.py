"""The dashboard: whether all is well, what ran, what runs and what comes next, on one page."""
