"""The contract itself, and that the service does what it says."""
