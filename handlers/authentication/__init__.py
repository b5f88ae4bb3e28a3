"""From a token to the user that it names, or to the reason why it is refused; and tokens for demonstrations."""
