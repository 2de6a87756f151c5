"""Wrong link codes, counted per chat user."""

from tortoise import fields
from tortoise.models import Model


class LinkGuess(Model):
    """One wrong code or key typed by one chat user; many within an hour end in a refusal."""

    id = fields.BigIntField(primary_key=True)
    channel = fields.CharField(max_length=16)
    user_id = fields.CharField(max_length=32)
    guessed_at = fields.DatetimeField()

    class Meta:
        table = "link_guesses"
        table_description = "Link guesses"  # explicit: the docstring would break SQL
        indexes = (("channel", "user_id", "guessed_at"), ("guessed_at",))
