"""How much came and what became of it, a quarter of an hour at a time."""

from datetime import datetime, timedelta

from tortoise import fields
from tortoise.models import Model

from models.account import Account

SLOT = timedelta(minutes=15)
"""As short as it takes for days to begin at midnight in every time zone: Nepal is 5:45 ahead of UTC."""
KEPT_FOR = timedelta(days=40)
"""How long slots are kept; `CategoryUsage` has the months."""


class CategoryActivity(Model):
    """How many events of one category an account had accepted in one `SLOT`, kept at intake.

    `slot` counts from the epoch. The category is named, not referenced: its history outlives it.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="category_activity", on_delete=fields.CASCADE
    )
    slot = fields.BigIntField(db_index=True)
    category = fields.CharField(max_length=64)
    events = fields.BigIntField()

    account_id: int

    class Meta:
        table = "category_activity"
        table_description = "Category activity"  # explicit: the docstring would break SQL
        unique_together = (("account_id", "slot", "category"),)
        indexes = (("account_id", "category", "slot"),)


class NumberTotals(Model):
    """What the numbers in one field of a category's events came to in one `SLOT`, kept at intake.

    `events` are those that had a number there. The category is named, not referenced, as in
    `CategoryActivity`.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="number_totals", on_delete=fields.CASCADE
    )
    category = fields.CharField(max_length=64)
    field = fields.CharField(max_length=256)
    slot = fields.BigIntField(db_index=True)
    events = fields.BigIntField()
    total = fields.FloatField()
    smallest = fields.FloatField()
    largest = fields.FloatField()

    account_id: int

    class Meta:
        table = "number_totals"
        table_description = "Number totals"  # explicit: the docstring would break SQL
        unique_together = (("account_id", "category", "field", "slot"),)


class DeliveryActivity(Model):
    """How many deliveries of one category's events to one destination were delivered and failed in one
    `SLOT`, kept by the journal. A table of its own, lest a journal and the intake wait for each other.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="delivery_activity", on_delete=fields.CASCADE
    )
    slot = fields.BigIntField(db_index=True)
    category = fields.CharField(max_length=64)
    destination = fields.CharField(max_length=32)
    delivered = fields.BigIntField()
    failed = fields.BigIntField()

    account_id: int

    class Meta:
        table = "delivery_activity"
        table_description = "Delivery activity"  # explicit: the docstring would break SQL
        unique_together = (("account_id", "slot", "category", "destination"),)


def slot_of(instant: datetime) -> int:
    """Return the slot that an instant is in."""
    return int(instant.timestamp()) // int(SLOT.total_seconds())
