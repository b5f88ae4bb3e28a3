"""What can be sent, and what a request carries until then."""
