"""The quota's counter."""

from tortoise import fields
from tortoise.models import Model

from models.account import Account


class MonthlyUsage(Model):
    """How many events an account had accepted in one month (`YYYY-MM`, UTC)."""

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="usage", on_delete=fields.CASCADE
    )
    month = fields.CharField(max_length=7)
    events = fields.BigIntField()

    account_id: int

    class Meta:
        table = "monthly_usage"
        table_description = "Monthly usage"  # explicit: the docstring would break SQL
        unique_together = (("account_id", "month"),)
