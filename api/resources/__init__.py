"""The calls, one module a resource: handlers, and the table that routes and describes them."""
