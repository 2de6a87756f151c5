"""The bots that people know on a platform: each of its tokens is one's."""

from collections.abc import Sequence

from tortoise import fields
from tortoise.models import Model

from models.database import reader, transaction, unit_of_work
from models.sql import is_postgres, marks, query

# Who let go of it in order leaves a row that names nobody
_LED = """EXISTS (
    SELECT 1 FROM leaders led
    WHERE led.token = bots.name AND led.holder <> '' AND led.expires_at > clock_timestamp()
)"""


class Bot(Model):
    """A bot of ours, now or once.

    `name` is that of its lease, such as `telegram:7000000042`, and no secret. Its destinations, and what
    waits for them, carry its `lane`: a small number that is its own among its channel's bots for ever. 0 has
    the first one, and everything from before there could be several. `in_use`: its token is set.
    """

    name = fields.CharField(max_length=96, primary_key=True)
    channel = fields.CharField(max_length=16)
    lane = fields.SmallIntField()
    in_use = fields.BooleanField(default=True, db_default=True)

    class Meta:
        table = "bots"
        table_description = "Bots"  # explicit: the docstring would break SQL
        unique_together = (("channel", "lane"),)

    @classmethod
    @unit_of_work
    async def register(cls, channel: str, names: Sequence[str]) -> dict[str, int]:
        """Return the lanes of the bots of these names, which are the channel's in use; new ones get the next.

        Where the only bot there ever was gives way to another one, that has its lane: rooms that both are in
        go on. A bot that another daemon leads keeps its lane, and stays in use where it is not named.
        """
        async with transaction() as own:
            if is_postgres(own):
                await query(own, "SELECT pg_advisory_xact_lock(hashtextextended('bots', 0))", [])
            await cls.filter(name__in=names).update(in_use=True)  # a write, to come first
            known = {each.name: each.lane for each in await cls.filter(channel=channel).order_by("lane")}
            led = f"AND NOT {_LED}" if is_postgres(own) else ""
            if len(names) == 1 and len(known) == 1 and names[0] not in known:
                # Not from under a daemon that leads it: both would send by one lane
                rename = f"UPDATE bots SET name = ?, in_use = TRUE WHERE channel = ? {led} RETURNING name"  # noqa: S608
                if await query(own, rename, [names[0], channel]):
                    known = {names[0]: known.popitem()[1]}
            for name in names:
                if name not in known:
                    known[name] = max(known.values(), default=-1) + 1
                    await cls.create(name=name, channel=channel, lane=known[name])
            sql = f"""
                UPDATE bots SET in_use = FALSE
                WHERE channel = ? AND in_use AND name NOT IN ({marks(names)}) {led} RETURNING name
            """  # noqa: S608
            await query(own, sql, [channel, *names])
        return {name: known[name] for name in names}

    @classmethod
    async def has_others(cls, channel: str, names: Sequence[str]) -> bool:
        """Return whether bots of a channel count as in use that are not named."""
        return await cls.filter(channel=channel, in_use=True).exclude(name__in=names).exists()

    @classmethod
    async def lanes(cls, channel: str, *, in_use: bool | None = None) -> list[int]:
        """Return the lanes of a channel's bots in order: of all, or of those that are in use, or are not.

        Before a daemon has named any, there is the first.
        """
        sql = "SELECT lane, in_use FROM bots WHERE channel = ? ORDER BY lane"
        rows = await query(reader(), sql, [channel])
        found = [row["lane"] for row in rows if in_use in (None, bool(row["in_use"]))]
        return found if rows or in_use is False else [0]
