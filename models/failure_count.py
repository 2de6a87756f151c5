"""How often sending failed and why, an hour at a time, over all accounts."""

from datetime import datetime, timedelta

from tortoise import fields
from tortoise.models import Model

HOUR = timedelta(hours=1)
KEPT_FOR = timedelta(days=2)
"""How long these counts are kept."""
LONGEST_REASON = 160
"""Characters of a reason, once what it says of a recipient or a message is taken out."""


class FailureCount(Model):
    """How many attempts over one channel failed for one reason in one hour, which counts from the epoch.

    `final`: the delivery was given up; otherwise it is tried again. Of no account, and of no event: the
    operator reads it.
    """

    id = fields.BigIntField(primary_key=True)
    hour = fields.BigIntField()
    channel = fields.CharField(max_length=16)
    final = fields.BooleanField()
    reason = fields.CharField(max_length=LONGEST_REASON)
    failures = fields.BigIntField()

    class Meta:
        table = "failure_counts"
        table_description = "Failure counts"  # explicit: the docstring would break SQL
        unique_together = (("hour", "channel", "final", "reason"),)


def hour_of(instant: datetime) -> int:
    """Return the hour that an instant is in."""
    return int(instant.timestamp()) // int(HOUR.total_seconds())
