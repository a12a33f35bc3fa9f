"""Alerts in the admin: what people were told of, and whether it reached them."""
