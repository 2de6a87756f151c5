"""Which daemon leads which bot."""

from tortoise import fields
from tortoise.models import Model


class Leader(Model):
    """A bot's lease: the daemon that holds it alone sends by its token and listens to its people.

    `token` names the bot and is no secret. `holder` is a daemon's identity, "" where the last one let go.
    `epoch` grows with each holder. `since` and `expires_at` are of the database's clock.
    """

    token = fields.CharField(max_length=96, primary_key=True)
    holder = fields.CharField(max_length=128)
    epoch = fields.BigIntField()
    since = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "leaders"
        table_description = "Leaders"  # explicit: the docstring would break SQL
