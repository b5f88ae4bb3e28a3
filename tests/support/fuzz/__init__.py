"""Schemathesis: how the tests run it, its configuration, and checks of the data that its requests leave behind."""
