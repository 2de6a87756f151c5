"""Idempotency keys of accepted events."""

from datetime import timedelta

from tortoise import fields
from tortoise.models import Model

from models.account import Account
from models.event import Event

IDEMPOTENCY_WINDOW = timedelta(hours=24)
"""How long a key is remembered."""


class IdempotencyKey(Model):
    """A caller's own name for one event: the same key again answers the same event.

    `body_hash` is the SHA-256 of what was asked for, so that a key used for something else is told apart.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="idempotency_keys", on_delete=fields.CASCADE
    )
    key = fields.CharField(max_length=255)
    body_hash = fields.CharField(max_length=64)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "models.Event", related_name="idempotency_keys", on_delete=fields.CASCADE, db_index=True
    )
    created_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "idempotency_keys"
        table_description = "Idempotency keys"  # explicit: the docstring would break SQL
        unique_together = (("account_id", "key"),)
