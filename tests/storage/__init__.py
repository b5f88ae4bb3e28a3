"""How the service uses PostgreSQL: connections, statements, migrations and the embedded server."""
