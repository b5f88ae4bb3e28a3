"""Tokens: which user a token names, or why it is rejected; and minting tokens for demonstrations."""
