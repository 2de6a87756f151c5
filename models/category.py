"""Categories."""

from tortoise import fields
from tortoise.models import Model

from models.account import Account


class Category(Model):
    """A kind of event an account sends, with its looks: `color` is `#rrggbb`, `emoji` optional.

    An `urgent` one passes quiet hours. `channels` are the names of the destinations its events go to, joined
    by commas; null means all that the account has switched on. `fallback` is the destination used where one
    of them fails for good.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="categories", on_delete=fields.CASCADE
    )
    name = fields.CharField(max_length=64)
    color = fields.CharField(max_length=7)
    emoji = fields.CharField(max_length=64, null=True)
    urgent = fields.BooleanField(default=False, db_default=False)
    channels = fields.TextField(null=True)
    fallback = fields.CharField(max_length=32, null=True)
    created_at = fields.DatetimeField()

    account_id: int

    class Meta:
        table = "categories"
        table_description = "Categories"  # explicit: the docstring would break SQL
        unique_together = (("account_id", "name"),)
