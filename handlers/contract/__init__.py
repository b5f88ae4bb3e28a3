"""The contract, compiled. Nothing outside this folder imports Connexion."""

import warnings

# Connexion imports Starlette's test client, which would write a deprecation warning to standard error.
warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")
