"""What tests share: servers, databases, clients, and the corpora that they send."""
