"""The daemons that work on one database, as far as they know of each other."""

from tortoise import fields
from tortoise.models import Model


class Member(Model):
    """A daemon, from its start to its end; `identity` is no other's, and no other start's.

    `seen_at` is written every few seconds, by the database's clock. The row of one that was killed stays for
    a day.
    """

    identity = fields.CharField(max_length=128, primary_key=True)
    host = fields.CharField(max_length=255)
    version = fields.CharField(max_length=32)
    started_at = fields.DatetimeField()
    seen_at = fields.DatetimeField()

    class Meta:
        table = "daemons"
        table_description = "Daemons"  # explicit: the docstring would break SQL
