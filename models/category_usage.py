"""How often a category was used, month by month."""

from tortoise import fields
from tortoise.models import Model

from models.account import Account


class CategoryUsage(Model):
    """One category's count of accepted events in one month (`YYYY-MM`, UTC), kept at intake.

    The category is named, not referenced: its history outlives it.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="category_usage", on_delete=fields.CASCADE
    )
    category = fields.CharField(max_length=64)
    month = fields.CharField(max_length=7)
    events = fields.BigIntField()
    last_event_at = fields.DatetimeField()

    account_id: int

    class Meta:
        table = "category_usage"
        table_description = "Category usage"  # explicit: the docstring would break SQL
        unique_together = (("account_id", "category", "month"),)
