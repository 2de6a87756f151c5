"""API keys: only their hashes."""

from datetime import datetime, timedelta
from enum import StrEnum

from tortoise import fields
from tortoise.expressions import Q
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models.account import Account
from models.names import split
from pingpilot.clock import SKEW


class KeyScope(StrEnum):
    """What a key may do: `SEND` posts events and nothing else, `MANAGE` may do everything."""

    SEND = "send"
    MANAGE = "manage"


LONGEST_OVERLAP = timedelta(days=30)
"""How long a key may be accepted beside the one that replaced it."""


def latest_expiry(now: datetime) -> datetime:
    """Return the latest end that a key in force can have."""
    return now + LONGEST_OVERLAP + SKEW


class ApiKey(Model):
    """A key programs authenticate with; the key itself is shown once and never stored.

    `prefix` is the 8 characters after `pp_`, `hash` the SHA-256 of the whole key in hexadecimal.
    `categories` are the only ones a `send` key may post to, joined by commas; null means all. From
    `expires_at` on, the key is refused: set when it was rotated.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="keys", on_delete=fields.CASCADE
    )
    name = fields.CharField(max_length=64)
    prefix = fields.CharField(max_length=8, db_index=True)
    hash = fields.CharField(max_length=64, unique=True)
    scope = fields.CharField(max_length=16, default=KeyScope.MANAGE, db_default=KeyScope.MANAGE.value)
    categories = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)

    account_id: int

    class Meta:
        table = "api_keys"
        table_description = "Api keys"  # explicit: the docstring would break SQL
        indexes = (("account_id",),)

    @property
    def category_names(self) -> tuple[str, ...] | None:
        """The only categories the key may post to; None means all."""
        return split(self.categories)

    @classmethod
    def in_force(cls, at: datetime) -> "QuerySet[ApiKey]":
        """Return the keys that are accepted at an instant, oldest first."""
        # One that ends later than any can was rotated when a clock was ahead, and its time is over
        unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=at, expires_at__lte=latest_expiry(at))
        return cls.filter(unexpired, revoked_at__isnull=True).order_by("id")

    @classmethod
    async def revoke(cls, key_id: int, at: datetime) -> bool:
        """Revoke a key; False where it was revoked before."""
        return bool(await cls.filter(id=key_id, revoked_at__isnull=True).update(revoked_at=at))

    @classmethod
    async def expire(cls, key_id: int, at: datetime) -> bool:
        """Have a key refused from an instant on; False where it has an end already, or was revoked."""
        endless = cls.filter(id=key_id, revoked_at__isnull=True, expires_at__isnull=True)
        return bool(await endless.update(expires_at=at))
