"""`make bench`: compare this service with bare psycopg, FastAPI and Fastify, on one machine and in one run."""

import warnings

# Connexion imports Starlette's test client, which warns that it will require another library.
warnings.filterwarnings("ignore", message="Using `httpx`")
