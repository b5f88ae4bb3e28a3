"""What an operator does to a database: migrate it, diagnose it, run an embedded one."""
