"""`make bench`: this service beside bare psycopg and beside a FastAPI peer, on the same machine in the same minutes."""
