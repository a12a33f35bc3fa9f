"""Commands that tests put in place of Django's."""
