"""What the service needs of PostgreSQL, and does to it."""
