"""What all responses have in common."""
