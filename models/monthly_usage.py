"""The quota's counter."""

from tortoise import fields
from tortoise.models import Model

from models.account import Account


class MonthlyUsage(Model):
    """How many events an account had accepted in one month (`YYYY-MM`, UTC).

    `told_percent` is the share of its limit that the owner was last told of, 0 for none, and `told_limit` the
    limit it was then.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="usage", on_delete=fields.CASCADE
    )
    month = fields.CharField(max_length=7)
    events = fields.BigIntField()
    told_percent = fields.SmallIntField(default=0, db_default=0)
    told_limit = fields.BigIntField(null=True)

    account_id: int

    class Meta:
        table = "monthly_usage"
        table_description = "Monthly usage"  # explicit: the docstring would break SQL
        unique_together = (("account_id", "month"),)
