"""The differential oracle: stock Connexion next to the service, requests for both, and the differences allowed."""
