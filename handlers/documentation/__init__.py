"""The contract as a document, and the pages that show it."""
