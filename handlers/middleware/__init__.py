"""What all requests and responses have in common: one file for each concern; `wrapper.py` calls them."""
