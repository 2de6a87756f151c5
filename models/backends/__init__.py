"""Tortoise's database clients with our errors, one module an engine (`tortoise_config` names them).

Tortoise hands every query to `acquire_connection`, and every transaction to `_in_transaction`. What a
database or its driver raises passes these two doors, and becomes `DatabaseUnavailable` or
`IntegrityConflict` there, whoever asked. What is to hold for each call of a database, such as a time limit,
belongs to them too.

An engine's module must have its driver in its name: Tortoise chooses the schema editor by that.
"""

READER = "reader"
"""The connection for reads beside a commit under way, where the engine needs one."""
ASIDE = "aside"
"""The connection for long work beside everybody else's, opened by the first who needs it; where the engine
needs one.
"""
LEASES = "leases"
"""The connection for what is worth nothing when it is late, opened by the first who needs it; where several
processes share the database.
"""
