"""Schemathesis: how it is run, what it is told, and how what it leaves behind is looked at."""
