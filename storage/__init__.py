"""The data: one module for each resource. It knows no HTTP."""
