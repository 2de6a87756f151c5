"""One-time links that sign a browser in."""

from datetime import datetime, timedelta

from tortoise import fields
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models.account import Account
from pingpilot.clock import SKEW

SIGN_IN_LIFETIME = timedelta(minutes=10)


class SignInLink(Model):
    """A link that the account's owner got; only its token's SHA-256 is stored. It works once."""

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="sign_in_links", on_delete=fields.CASCADE
    )
    hash = fields.CharField(max_length=64, unique=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)
    used_at = fields.DatetimeField(null=True)

    account_id: int

    class Meta:
        table = "sign_in_links"
        table_description = "Sign-in links"  # explicit: the docstring would break SQL
        indexes = (("account_id",),)

    @classmethod
    def valid(cls, at: datetime) -> "QuerySet[SignInLink]":
        """Return the links whose time is not over, used ones included; one that lives longer than any can
        was made when a clock was ahead.
        """
        return cls.filter(expires_at__gt=at, expires_at__lte=at + SIGN_IN_LIFETIME + SKEW)

    async def use(self, at: datetime) -> bool:
        """Mark the link as used; False where somebody else was first or its time is over."""
        unused = SignInLink.valid(at).filter(id=self.id, used_at__isnull=True)
        return bool(await unused.update(used_at=at))
