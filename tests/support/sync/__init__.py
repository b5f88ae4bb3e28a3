"""An offline-first client of the API, the network that it has to live with, and the proof that it loses nothing."""
