"""Events."""

from tortoise import fields
from tortoise.models import Model

from models.account import Account
from models.ids import uuid7
from models.indexes import IndexWhere


class Event(Model):
    """One accepted event; what it says never changes.

    `category` is a name, not a reference: the event outlives its category. `fields_json` is JSON
    text, since JSONB loses the order of keys. `title` stands in place of the category's name, and links to
    `url`; None where the sender gave none. A `notice` comes from PingPilot itself and is neither
    charged nor listed. One that `goes_nowhere` has no deliveries: no channel could take it.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="events", on_delete=fields.CASCADE
    )
    category = fields.CharField(max_length=64)
    title = fields.TextField(null=True)
    url = fields.TextField(null=True)
    description = fields.TextField()
    fields_json = fields.TextField()
    notice = fields.BooleanField(default=False, db_default=False)
    goes_nowhere = fields.BooleanField(default=False, db_default=False)
    created_at = fields.DatetimeField()

    account_id: int

    class Meta:
        table = "events"
        table_description = "Events"  # explicit: the docstring would break SQL
        indexes = (
            ("account_id", "id"),
            ("account_id", "category", "id"),
            IndexWhere("goes_nowhere", name="idx_events_nowhere", fields=("account_id", "id")),
        )
