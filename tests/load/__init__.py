"""`make bench`: this service beside bare psycopg and beside a FastAPI peer, on the same machine in the same minutes."""

import warnings

# Connexion imports Starlette's test client, which warns of its own future.
warnings.filterwarnings("ignore", message="Using `httpx`")
