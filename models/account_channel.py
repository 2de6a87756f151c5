"""An account's channels: where its notifications go."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models.account import Account


class Obstacle(StrEnum):
    """Why nothing can be sent over an account's channel."""

    OFF = "off"
    UNLINKED = "unlinked"
    SUSPENDED = "suspended"


def obstacle_to(*, enabled: bool, address: str | None, suspended_reason: str | None) -> Obstacle | None:
    """Return what keeps an account's channel from being used, None where it can be.

    `USABLE` and `AccountChannel.usable` ask the database the same.
    """
    if not enabled:
        return Obstacle.OFF
    if address is None:
        return Obstacle.UNLINKED
    return None if suspended_reason is None else Obstacle.SUSPENDED


USABLE = "ac.enabled AND ac.address IS NOT NULL AND ac.suspended_reason IS NULL"
"""As a condition in SQL over `account_channels ac`."""


class AccountChannel(Model):
    """One channel of one account.

    `address` is where messages are sent: a Discord DM channel id, a Telegram chat id, an e-mail
    address. `user_id` and `username` tell who linked it: a Discord or Telegram user. A channel with
    `suspended_reason` is skipped until it is linked or switched on again.

    Quiet hours go from `quiet_from` to `quiet_until`, in minutes after midnight of the account's time
    zone; `quiet_silently` sends without a sound then, instead of waiting. `muted_until` does the same
    until an instant.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="channels", on_delete=fields.CASCADE
    )
    channel = fields.CharField(max_length=16)
    enabled = fields.BooleanField()
    address = fields.CharField(max_length=254, null=True)
    user_id = fields.CharField(max_length=32, null=True)
    username = fields.CharField(max_length=64, null=True)
    linked_at = fields.DatetimeField(null=True)
    suspended_reason = fields.TextField(null=True)
    quiet_from = fields.SmallIntField(null=True)
    quiet_until = fields.SmallIntField(null=True)
    quiet_silently = fields.BooleanField(default=False, db_default=False)
    muted_until = fields.DatetimeField(null=True)

    account_id: int

    class Meta:
        table = "account_channels"
        table_description = "Account channels"  # explicit: the docstring would break SQL
        unique_together = (("account_id", "channel"),)
        indexes = (("channel", "user_id"),)

    @classmethod
    def usable(cls, account_id: int) -> "QuerySet[AccountChannel]":
        """Return the account's channels that can be used."""
        return cls.filter(
            account_id=account_id, enabled=True, address__isnull=False, suspended_reason__isnull=True
        )

    @classmethod
    async def link(
        cls, account_id: int, channel: str, *, address: str, user_id: str, username: str | None, at: datetime
    ) -> None:
        """Point the account's channel at a chat, switch it on, lift any suspension and end a mute."""
        values: dict[str, Any] = {
            "enabled": True,
            "address": address,
            "user_id": user_id,
            "username": username,
            "linked_at": at,
            "suspended_reason": None,
            "muted_until": None,
        }
        if not await cls.filter(account_id=account_id, channel=channel).update(**values):
            await cls.create(account_id=account_id, channel=channel, **values)

    @classmethod
    async def unlink(cls, account_id: int, channel: str) -> bool:
        """Forget the chat and switch the channel off; return whether it was linked."""
        return bool(
            await cls.filter(account_id=account_id, channel=channel, address__isnull=False).update(
                enabled=False,
                address=None,
                user_id=None,
                username=None,
                linked_at=None,
                suspended_reason=None,
                muted_until=None,
            )
        )

    @classmethod
    async def switch(cls, account_id: int, channel: str, *, on: bool, address: str | None = None) -> None:
        """Switch the channel on or off; its link stays, a suspension does not.

        `address` is for an account older than the channel, which has no row of it yet.
        """
        await cls.bulk_create(
            [cls(account_id=account_id, channel=channel, enabled=on, address=address)],
            on_conflict=["account_id", "channel"],
            update_fields=["enabled", "suspended_reason"],
        )

    @classmethod
    async def suspend(cls, account_id: int, channel: str, *, address: str, reason: str) -> bool:
        """Stop using an address that is gone; False where the channel points elsewhere by now."""
        return bool(
            await cls.filter(
                account_id=account_id, channel=channel, address=address, suspended_reason__isnull=True
            ).update(suspended_reason=reason)
        )
