"""Every page of the admin, with something on each: what is true of all pages is tested with these."""
