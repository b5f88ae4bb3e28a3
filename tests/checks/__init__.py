"""The checks that `make check` runs in addition to linters."""
