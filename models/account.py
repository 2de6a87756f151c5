"""Accounts."""

from enum import StrEnum

from tortoise import fields
from tortoise.expressions import F
from tortoise.models import Model


class Plan(StrEnum):
    """What an account pays for; the limits behind the names are settings."""

    FREE = "free"
    PRO = "pro"
    ENTERPRISE = "enterprise"


class Account(Model):
    """One customer: owns keys, channels, categories, events and a monthly quota.

    `monthly_events` is a limit of the account's own; null means its plan's. `combine` lets many waiting
    notifications to one recipient go out as one message. `time_zone` is an IANA name. An operator looks
    after the server. From `suspended_at` on, nobody gets in and nothing goes out.
    """

    id = fields.BigIntField(primary_key=True)
    email = fields.CharField(max_length=254, unique=True)
    plan = fields.CharField(max_length=16)
    monthly_events = fields.BigIntField(null=True)
    time_zone = fields.CharField(max_length=64)
    combine = fields.BooleanField(default=True, db_default=True)
    created_at = fields.DatetimeField()
    is_operator = fields.BooleanField(default=False, db_default=False)
    suspended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "accounts"
        table_description = "Accounts"  # explicit: the docstring would break SQL

    @classmethod
    async def lock(cls, account_id: int) -> None:
        """Keep others who lock the account waiting until the transaction ends.

        A write, so that SQLite takes its lock at once; to a column that is not a key, so that PostgreSQL
        goes on inserting rows that refer to the account.
        """
        await cls.filter(id=account_id).update(plan=F("plan"))
