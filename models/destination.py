"""An account's destinations: where its notifications go."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models.account import Account

LONGEST_NAME = 32
"""Characters of a destination's name."""


class DestinationKind(StrEnum):
    """What a destination is.

    `DIRECT` is a channel's own one, which carries its name: a chat with the bot, or the account's e-mail
    address. A `TOPIC` is a part of a room, such as a topic of a Telegram forum.
    """

    DIRECT = "direct"
    ROOM = "room"
    TOPIC = "topic"
    MAILBOX = "mailbox"
    WEBHOOK = "webhook"


class Obstacle(StrEnum):
    """Why nothing can be sent to a destination."""

    OFF = "off"
    UNLINKED = "unlinked"
    SUSPENDED = "suspended"
    REMOVED = "removed"


def obstacle_to(*, enabled: bool, address: str | None, suspended_reason: str | None) -> Obstacle | None:
    """Return what keeps a destination from being used, None where it can be.

    `USABLE` and `Destination.usable` ask the database the same.
    """
    if not enabled:
        return Obstacle.OFF
    if address is None:
        return Obstacle.UNLINKED
    return None if suspended_reason is None else Obstacle.SUSPENDED


USABLE = "dest.enabled AND dest.address IS NOT NULL AND dest.suspended_reason IS NULL"
"""As a condition in SQL over `destinations dest`."""


class Destination(Model):
    """One place that an account's notifications go to, over one channel. An account has several a channel.

    `name` is how its owner calls it, `title` what people see of the place: a chat's title, a server's and
    a channel's name. `address` is where messages are sent: a Discord channel id, a Telegram chat id, an
    e-mail address, a URL; `topic` a topic's id within it. `user_id` and `username` tell who linked it: a
    Discord or Telegram user. One with `suspended_reason` is skipped until it is linked or switched on again.

    Quiet hours go from `quiet_from` to `quiet_until`, in minutes after midnight of the account's time
    zone; `quiet_silently` sends without a sound then, instead of waiting. `muted_until` does the same
    until an instant. `mention` is whom a message calls: null for nobody, `here`, or a role's id.

    `lane` is that of the bot that it was linked with (`models.bot`): no other one can write there.

    A webhook signs with its `secret`, and until `former_secret_until` with the former one as well.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="destinations", on_delete=fields.CASCADE
    )
    channel = fields.CharField(max_length=16)
    kind = fields.CharField(max_length=16)
    name = fields.CharField(max_length=LONGEST_NAME)
    title = fields.CharField(max_length=256, null=True)
    enabled = fields.BooleanField()
    address = fields.CharField(max_length=2000, null=True)
    topic = fields.CharField(max_length=32, null=True)
    user_id = fields.CharField(max_length=32, null=True)
    username = fields.CharField(max_length=64, null=True)
    linked_at = fields.DatetimeField(null=True)
    suspended_reason = fields.TextField(null=True)
    quiet_from = fields.SmallIntField(null=True)
    quiet_until = fields.SmallIntField(null=True)
    quiet_silently = fields.BooleanField(default=False, db_default=False)
    muted_until = fields.DatetimeField(null=True)
    mention = fields.CharField(max_length=32, null=True)
    secret = fields.CharField(max_length=128, null=True)
    former_secret = fields.CharField(max_length=128, null=True)
    former_secret_until = fields.DatetimeField(null=True)
    lane = fields.SmallIntField(default=0, db_default=0)

    account_id: int

    class Meta:
        table = "destinations"
        table_description = "Destinations"  # explicit: the docstring would break SQL
        unique_together = (("account_id", "name"),)
        indexes = (("channel", "user_id"), ("channel", "address"), ("channel", "lane"))

    @property
    def is_unconfirmed(self) -> bool:
        """Whether it is a mailbox whose reader has not confirmed it, and nothing else is in the way."""
        return self.enabled and self.kind == DestinationKind.MAILBOX and self.address is None

    @classmethod
    def usable(cls, account_id: int) -> "QuerySet[Destination]":
        """Return the account's destinations that can be used."""
        return cls.filter(
            account_id=account_id, enabled=True, address__isnull=False, suspended_reason__isnull=True
        )

    @classmethod
    async def link(
        cls,
        account_id: int,
        channel: str,
        *,
        address: str,
        user_id: str,
        username: str | None,
        at: datetime,
        lane: int = 0,
    ) -> None:
        """Point the channel's direct destination at a chat, switch it on, lift a suspension, end a mute."""
        values: dict[str, Any] = {
            "enabled": True,
            "address": address,
            "user_id": user_id,
            "username": username,
            "linked_at": at,
            "lane": lane,
            "suspended_reason": None,
            "muted_until": None,
        }
        if not await cls.filter(account_id=account_id, name=channel).update(**values):
            await cls.create(
                account_id=account_id, channel=channel, kind=DestinationKind.DIRECT, name=channel, **values
            )

    @classmethod
    async def unlink(cls, account_id: int, channel: str) -> bool:
        """Forget the channel's direct chat and switch it off; return whether it was linked."""
        return bool(
            await cls.filter(account_id=account_id, name=channel, address__isnull=False).update(
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
    async def switch(cls, account_id: int, name: str, *, on: bool) -> None:
        """Switch a destination on or off; its link stays, a suspension does not."""
        await cls.filter(account_id=account_id, name=name).update(enabled=on, suspended_reason=None)

    @classmethod
    async def suspend(cls, account_id: int, name: str, *, address: str, reason: str) -> bool:
        """Stop using an address that is gone; False where the destination leads elsewhere by now."""
        return bool(
            await cls.filter(
                account_id=account_id, name=name, address=address, suspended_reason__isnull=True
            ).update(suspended_reason=reason)
        )

    @classmethod
    async def move_room(cls, channel: str, address: str, *, to: str) -> None:
        """Let all that lead to a room lead to where it is now."""
        await cls.filter(channel=channel, address=address).update(address=to)

    @classmethod
    async def leave_topic(cls, channel: str, address: str, topic: str) -> bool:
        """Let what leads to a topic of a room lead to the room itself; return whether anything did."""
        return bool(
            await cls.filter(channel=channel, address=address, topic=topic).update(
                topic=None, kind=DestinationKind.ROOM
            )
        )
