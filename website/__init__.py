"""Makes the documentation's site of docs/, the calls and the error codes; `make docs` runs it."""
