"""Small facts the daemons of one database share."""

import secrets
from datetime import timedelta

from tortoise import fields
from tortoise.models import Model

from models.database import connection, unit_of_work
from models.sql import insert_rows, is_postgres, query

_PROBE = "probe"
# The database's own clock, which all daemons share, as seconds since 1970
_NOW = {True: "EXTRACT(EPOCH FROM clock_timestamp())", False: "(julianday('now') - 2440587.5) * 86400.0"}
# A time that is ahead was noted by a clock that has been set right since
_TAKE_TURN = """
INSERT INTO facts (name, value) VALUES (?, CAST({now} AS TEXT))
ON CONFLICT (name) DO UPDATE SET value = excluded.value
WHERE CAST(excluded.value AS DOUBLE PRECISION) - CAST(facts.value AS DOUBLE PRECISION) NOT BETWEEN 0 AND ?
RETURNING value
"""
_SINCE = "SELECT {now} - CAST(value AS DOUBLE PRECISION) AS seconds FROM facts WHERE name = ?"


class Fact(Model):
    """A named value, such as the Telegram bot's user name or the key that signs unsubscribe links."""

    name = fields.CharField(max_length=64, primary_key=True)
    value = fields.TextField()

    class Meta:
        table = "facts"
        table_description = "Facts"  # explicit: the docstring would break SQL

    @classmethod
    async def read(cls, name: str) -> str | None:
        """Return the value, or None where nobody stored one."""
        fact = await cls.get_or_none(name=name)
        return fact.value if fact else None

    @classmethod
    @unit_of_work
    async def keep(cls, name: str, value: str) -> None:
        """Store the value, replacing an older one."""
        await cls.update_or_create(defaults={"value": value}, name=name)

    @classmethod
    @unit_of_work
    async def get_or_set(cls, name: str, value: str) -> str:
        """Store the value unless there is one; return what is stored then, the same for every caller."""
        await cls.bulk_create([cls(name=name, value=value)], ignore_conflicts=True)
        return (await cls.get(name=name)).value

    @classmethod
    @unit_of_work
    async def take_turn(cls, name: str, apart: timedelta) -> timedelta:
        """Note for all daemons that something is done now, and return a time of zero; where it was done less
        than `apart` ago, return how long it has to wait.
        """
        own, seconds = connection(), apart.total_seconds()
        now = _NOW[is_postgres(own)]
        if await query(own, _TAKE_TURN.format(now=now), (name, seconds)):
            return timedelta(0)
        [row] = await query(own, _SINCE.format(now=now), (name,))
        return timedelta(seconds=max(0.01, seconds - float(row["seconds"])))

    @classmethod
    @unit_of_work
    async def write_probe(cls, size: int) -> None:
        """Write so many bytes to the disk and remove them. Raises `DatabaseUnavailable`.

        They are random: neither SQLite, which leaves out what does not change, nor PostgreSQL, which
        compresses, shall get by with less.
        """
        rows = [(_PROBE, secrets.token_hex(size // 2))]
        replace = "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        await insert_rows(connection(), "facts", ("name", "value"), rows, replace)
        await cls.filter(name=_PROBE).delete()
