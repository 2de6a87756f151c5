"""Deliveries: the queue and its record in one row."""

import re
from collections.abc import Collection, Sequence
from enum import StrEnum

from tortoise import fields
from tortoise.indexes import PartialIndex
from tortoise.models import Model

from models.account import Account
from models.database import connection
from models.event import Event
from models.indexes import IndexWhere
from models.sql import query


class DeliveryStatus(StrEnum):
    """How far a delivery is; `SENDING` holds a lease until a time, `HELD` waits for quiet hours to end."""

    PENDING = "pending"
    HELD = "held"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"


OPEN_STATUSES = (DeliveryStatus.PENDING, DeliveryStatus.HELD, DeliveryStatus.SENDING)
WAITING_STATUSES = (DeliveryStatus.PENDING, DeliveryStatus.HELD)
STEPS_ASIDE_AFTER = 3
"""A delivery that was tried more often holds back no later one to its recipient."""


def with_statuses(sql: str) -> str:
    """Return SQL in which `:pending`, `:held`, `:sending`, `:delivered` and `:failed` are statuses as stored.

    Written into the statement, not given with its values: both databases plan by them. Raises `KeyError`
    for another name.
    """
    return re.sub(r":(\w+)", lambda name: f"'{DeliveryStatus[name[1].upper()].value}'", sql)


def select_with_statuses(columns: str, statuses: Sequence[DeliveryStatus], condition: str) -> str:
    """Return SQL for the columns of all deliveries that are in one of the statuses and meet the condition.

    Status by status, each by its own index: SQLite takes no list of them for a reason to use any. The
    condition's values are given once a status.
    """
    return " UNION ALL ".join(
        f"SELECT {columns} FROM deliveries WHERE status = '{status.value}' AND {condition}"  # noqa: S608
        for status in statuses
    )


OF_DESTINATION = "channel = ? AND lane = ? AND account_id = ? AND destination = ?"
"""As a condition in SQL: what goes to one destination, by the bot of its lane."""
_MOVE_WAITING = f"""
UPDATE deliveries SET lane = ?
WHERE id IN ({select_with_statuses("id", WAITING_STATUSES, OF_DESTINATION)}) RETURNING id
"""  # noqa: S608


class Delivery(Model):
    """One event on its way to one destination of its account, over the destination's channel.

    `attempts` counts the tries that count towards giving up, less the `forgiven` ones before somebody
    asked for another round. `leased_by` names the daemon that is sending it, `lease_until` when that claim
    runs out. `lane` is its destination's (`models.bot`): which bot sends it. A fallback delivery goes to its
    category's fallback, and `fallback_for` is the id of the failed delivery it replaces; null for all others.
    """

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "models.Event", related_name="deliveries", on_delete=fields.CASCADE, db_index=True
    )
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="deliveries", on_delete=fields.CASCADE
    )
    channel = fields.CharField(max_length=16)
    destination = fields.CharField(max_length=32, db_default="")
    lane = fields.SmallIntField(default=0, db_default=0)
    status = fields.CharField(max_length=16)
    attempts = fields.IntField(default=0, db_default=0)
    forgiven = fields.IntField(default=0, db_default=0)
    next_attempt_at = fields.DatetimeField(null=True)
    leased_by = fields.CharField(max_length=128, null=True)
    lease_until = fields.DatetimeField(null=True)
    last_error = fields.TextField(null=True)
    fallback_for = fields.BigIntField(null=True, source_field="stands_in_for")
    delivered_at = fields.DatetimeField(null=True)

    event_id: str
    account_id: int

    @classmethod
    async def move_waiting(
        cls, account_id: int, channel: str, destination: str, *, lane: int, to: int
    ) -> None:
        """Have what waits for a destination, for the bot of one lane, sent by that of another."""
        if lane != to:
            own = [channel, lane, account_id, destination]
            await query(connection(), _MOVE_WAITING, [to, *own * len(WAITING_STATUSES)])

    @staticmethod
    def failed_for_good(deliveries: Collection["Delivery"]) -> "list[Delivery]":
        """Return those of one event that failed and that nothing makes up for.

        A fallback delivery answers for the one it replaces, and for the others that failed unless it fails
        too; a failed one is made up for where what it replaces was delivered when tried again.
        """
        fallbacks = [each for each in deliveries if each.fallback_for is not None]
        if any(each.status != DeliveryStatus.FAILED for each in fallbacks):
            return []
        replaced = {each.fallback_for for each in fallbacks}
        delivered = {each.id for each in deliveries if each.status == DeliveryStatus.DELIVERED}
        return [
            each
            for each in deliveries
            if each.status == DeliveryStatus.FAILED
            and each.id not in replaced
            and each.fallback_for not in delivered
        ]

    class Meta:
        table = "deliveries"
        table_description = "Deliveries"  # explicit: the docstring would break SQL
        # What is open is hardly ever much, whatever was delivered before: its indexes hold nothing else. What
        # ends leaves them all. The status stands in some as well, since SQLite would look it up in the row
        indexes = (
            ("account_id", "destination", "event_id"),
            PartialIndex(fields=("account_id", "status", "event_id"), condition={"status": "failed"}),
            IndexWhere(
                "status = 'pending'",
                name="idx_deliveries_pending_of",
                fields=("channel", "lane", "account_id", "destination", "id", "attempts", "status"),
            ),
            IndexWhere(
                f"status = 'pending' AND attempts > {STEPS_ASIDE_AFTER}",
                name="idx_deliveries_aside_of",
                fields=("channel", "lane", "next_attempt_at"),
            ),
            IndexWhere(
                "status = 'sending'",
                name="idx_deliveries_sending",
                fields=("channel", "account_id", "destination", "status"),
            ),
            IndexWhere("status = 'held'", name="idx_deliveries_held", fields=("channel", "next_attempt_at")),
            IndexWhere(
                "status = 'held'", name="idx_deliveries_held_of", fields=("account_id", "destination", "id")
            ),
        )
