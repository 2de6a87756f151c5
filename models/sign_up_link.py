"""One-time links that make an account for whoever reads a mailbox."""

from datetime import datetime, timedelta

from tortoise import fields
from tortoise.models import Model
from tortoise.queryset import QuerySet

from pingpilot.clock import SKEW

INVITATION_LIFETIME = timedelta(days=7)
SIGN_UP_LIFETIME = timedelta(hours=1)
"""Longer than a sign-in link's: mail servers put off a sender that they have not met before."""


class SignUpLink(Model):
    """A link to an address that had no account; only its token's SHA-256 is stored. It works once.

    An invitation is an operator's, and names the `plan`; any other was asked for at the sign-in page, and
    makes an account of the plan that new ones have.
    """

    id = fields.BigIntField(primary_key=True)
    email = fields.CharField(max_length=254, db_index=True)
    is_invitation = fields.BooleanField()
    plan = fields.CharField(max_length=16, null=True)
    hash = fields.CharField(max_length=64, unique=True)
    created_at = fields.DatetimeField(db_index=True)
    expires_at = fields.DatetimeField(db_index=True)
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "sign_up_links"
        table_description = "Sign-up links"  # explicit: the docstring would break SQL

    @classmethod
    def unused(cls, at: datetime) -> "QuerySet[SignUpLink]":
        """Return the links that can be used; one that lives longer than any can is from a clock ahead."""
        return cls.filter(
            expires_at__gt=at, expires_at__lte=at + INVITATION_LIFETIME + SKEW, used_at__isnull=True
        )

    async def use(self, at: datetime) -> bool:
        """Mark the link as used; False where somebody else was first or its time is over."""
        return bool(await SignUpLink.unused(at).filter(id=self.id).update(used_at=at))
