"""What `make check` runs beside linters."""
