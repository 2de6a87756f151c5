"""One-time codes that link a chat to an account."""

from datetime import datetime, timedelta

from tortoise import fields
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models.account import Account
from pingpilot.clock import SKEW

CODE_LIFETIME = timedelta(minutes=10)


class LinkCode(Model):
    """A code the account's owner got; only its SHA-256 is stored. It works once, for a short time.

    One made for a `room` links a room alone, as the destination of that name.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="link_codes", on_delete=fields.CASCADE
    )
    hash = fields.CharField(max_length=64, unique=True)
    room = fields.CharField(max_length=32, null=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)
    used_at = fields.DatetimeField(null=True)

    account_id: int

    class Meta:
        table = "link_codes"
        table_description = "Link codes"  # explicit: the docstring would break SQL
        indexes = (("account_id",),)

    @classmethod
    def valid(cls, at: datetime) -> "QuerySet[LinkCode]":
        """Return the codes whose time is not over, used ones included."""
        return cls.filter(expires_at__gt=at, expires_at__lte=at + CODE_LIFETIME + SKEW)

    def is_valid(self, at: datetime) -> bool:
        """Whether the code's time is not over; a code that lives too long was made when a clock was ahead."""
        return at < self.expires_at <= at + CODE_LIFETIME + SKEW

    async def use(self, at: datetime) -> bool:
        """Mark the code as used; False where somebody else was first or its time is over."""
        return bool(await LinkCode.valid(at).filter(id=self.id, used_at__isnull=True).update(used_at=at))
