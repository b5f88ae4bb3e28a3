"""The ASGI applications around the contract, one file for each concern; `service/app.py` stacks them."""
