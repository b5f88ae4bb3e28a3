"""Who may call, and why not."""
