"""The contract: the OpenAPI document, and the running daemon held to it."""
