"""The pages, README.md and CHANGELOG.md."""
