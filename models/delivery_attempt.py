"""Attempts: each try of a delivery, with its reason."""

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.delivery import Delivery


class AttemptOutcome(StrEnum):
    """How one try ended. Only `DELIVERED`, `RETRY`, `FAILED` and `REFUSED` count towards giving up.

    `REFUSED` is a failure that is about the recipient, not about the message.
    """

    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"
    REFUSED = "refused"
    RATE_LIMITED = "rate_limited"
    INTERRUPTED = "interrupted"


class DeliveryAttempt(Model):
    """One try to send one delivery; `duration_ms` is from the first byte to the platform's answer."""

    id = fields.BigIntField(primary_key=True)
    delivery: fields.ForeignKeyRelation[Delivery] = fields.ForeignKeyField(
        "models.Delivery", related_name="history", on_delete=fields.CASCADE, db_index=True
    )
    started_at = fields.DatetimeField()
    duration_ms = fields.IntField()
    outcome = fields.CharField(max_length=16)
    reason = fields.TextField(null=True)

    delivery_id: int

    class Meta:
        table = "delivery_attempts"
        table_description = "Delivery attempts"  # explicit: the docstring would break SQL
