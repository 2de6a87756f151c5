"""What a platform has sent by itself, to whichever daemon, until the bot's leader handles it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tortoise import fields
from tortoise.models import Model

from models.database import connection, reader, transaction, unit_of_work
from models.indexes import IndexWhere
from models.sql import insert_rows, is_postgres, marks, query

KEPT_FOR = timedelta(days=2)
"""How long an update's id is remembered. Telegram sends one again for a day: the Bot API, "getUpdates"."""

_WAITING = """
SELECT id, content FROM incoming_updates WHERE bot = ? AND content IS NOT NULL ORDER BY id LIMIT ?
"""
_TAKE = "UPDATE incoming_updates SET content = NULL WHERE id IN ({ids})"
_GIVE_BACK = "UPDATE incoming_updates SET content = ? WHERE id = ? AND content IS NULL"
_COUNT = """
SELECT COUNT(*) AS waiting FROM (
    SELECT id FROM incoming_updates WHERE bot = ? AND content IS NOT NULL LIMIT ?
) AS found
"""


@dataclass(frozen=True, slots=True)
class TakenUpdate:
    """An update that a leader has taken, as it was stored."""

    id: int
    content: str


class IncomingUpdate(Model):
    """One update of a bot; what it says goes once it is taken, its id stays, so that none is handled twice.

    `content` must not be readable in the database: people send codes and API keys to bots.
    """

    id = fields.BigIntField(primary_key=True)
    bot = fields.CharField(max_length=64)
    update_id = fields.BigIntField()
    content = fields.TextField(null=True)
    received_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "incoming_updates"
        table_description = "Incoming updates"  # explicit: the docstring would break SQL
        unique_together = (("bot", "update_id"),)
        indexes = (
            IndexWhere("content IS NOT NULL", name="idx_incoming_updates_waiting", fields=("bot", "id")),
        )

    @classmethod
    @unit_of_work
    async def keep(cls, bot: str, update_id: int, content: str, now: datetime) -> bool:
        """Store an update; False where it came before, to whichever daemon."""
        row = (bot, update_id, content, now)
        columns = ("bot", "update_id", "content", "received_at")
        then = "ON CONFLICT (bot, update_id) DO NOTHING RETURNING id"
        return bool(await insert_rows(connection(), cls.Meta.table, columns, [row], then))

    @classmethod
    async def count_waiting(cls, bot: str, most: int) -> int:
        """Return how many updates wait, which is counted up to `most`."""
        [row] = await query(reader(), _COUNT, (bot, most))
        return int(row["waiting"])

    @classmethod
    @unit_of_work
    async def take(cls, bot: str, most: int) -> list[TakenUpdate]:
        """Take the oldest updates that wait, which nobody else gets then."""
        if not await query(reader(), _WAITING, (bot, 1)):  # nearly always: no lock for writing
            return []
        async with transaction() as own:
            # Another leader may be at it; SQLite has one writer at a time anyway
            waiting = f"{_WAITING} FOR UPDATE SKIP LOCKED" if is_postgres(own) else _WAITING
            found = [TakenUpdate(**row) for row in await query(own, waiting, (bot, most))]
            if found:
                ids = [each.id for each in found]
                await query(own, _TAKE.format(ids=marks(ids)), ids)
        return found

    @classmethod
    @unit_of_work
    async def give_back(cls, taken: list[TakenUpdate]) -> None:
        """Let updates wait again, since who took them may not handle them any more."""
        async with transaction() as own:
            for each in taken:
                await query(own, _GIVE_BACK, (each.content, each.id))
