"""The differential oracle: stock Connexion beside the service, requests for both, and what may differ."""
