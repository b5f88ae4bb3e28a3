"""What the service survives: real processes and a real PostgreSQL that die, hang or run out of something."""
