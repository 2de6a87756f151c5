"""The HTTP API over real sockets: every answer of the contract."""
