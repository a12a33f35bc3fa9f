"""Every address with its methods, as the description has them."""
