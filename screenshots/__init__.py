"""The pictures in `docs/images/`, taken of the running program: `make screenshots`."""
