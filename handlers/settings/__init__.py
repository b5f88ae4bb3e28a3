"""What an operator decides, read once."""
