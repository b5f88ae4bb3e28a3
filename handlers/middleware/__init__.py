"""The ASGI applications around the contract, one concern a file; `service/app.py` stacks them."""
