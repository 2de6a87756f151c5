"""Browsers that are signed in."""

from datetime import datetime, timedelta

from tortoise import fields
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models.account import Account
from pingpilot.clock import SKEW

IDLE = timedelta(days=14)
"""A session ends when it was not used for so long."""
LONGEST = timedelta(days=90)
"""A session ends after so long, however often it is used."""


class Session(Model):
    """A browser that is signed in; only its token's SHA-256 is stored. `browser` is what people call it.

    One `by_proxy` was begun by what a proxy said of its reader, and holds as long as the proxy says so.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="sessions", on_delete=fields.CASCADE
    )
    hash = fields.CharField(max_length=64, unique=True)
    browser = fields.CharField(max_length=64)
    address = fields.CharField(max_length=64)
    created_at = fields.DatetimeField()
    seen_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)
    by_proxy = fields.BooleanField(default=False, db_default=False)

    account_id: int

    class Meta:
        table = "sessions"
        table_description = "Sessions"  # explicit: the docstring would break SQL
        indexes = (("account_id",),)

    @classmethod
    def in_force(cls, at: datetime) -> "QuerySet[Session]":
        """Return the sessions that have not ended. No time is believed beyond what it can mean."""
        return cls.filter(
            expires_at__gt=at,
            expires_at__lte=at + LONGEST + SKEW,
            seen_at__gt=at - IDLE,
            seen_at__lte=at + SKEW,
        )
