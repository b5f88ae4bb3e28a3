import warnings

# Connexion imports Starlette's test client, which warns of its own future.
warnings.filterwarnings("ignore", module="connexion")
