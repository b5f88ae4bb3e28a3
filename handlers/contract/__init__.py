"""The contract, compiled. Nothing outside this folder imports Connexion."""

import warnings

# Connexion imports Starlette's test client, which announces its own future on standard error.
warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")
