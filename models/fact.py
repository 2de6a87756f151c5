"""Small facts the daemons of one database share."""

import secrets

from tortoise import fields
from tortoise.models import Model

from models.database import connection, unit_of_work
from models.sql import insert_rows

_PROBE = "probe"


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
    async def write_probe(cls, size: int) -> None:
        """Write so many bytes to the disk and remove them. Raises `DatabaseUnavailable`.

        They are random: neither SQLite, which leaves out what does not change, nor PostgreSQL, which
        compresses, shall get by with less.
        """
        rows = [(_PROBE, secrets.token_hex(size // 2))]
        replace = "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        await insert_rows(connection(), "facts", ("name", "value"), rows, replace)
        await cls.filter(name=_PROBE).delete()
