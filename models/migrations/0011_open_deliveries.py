from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.indexes import Index
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

from models.indexes import IndexWhere

_PENDING, _SENDING, _HELD = (f"status = '{status}'" for status in ("pending", "sending", "held"))


def _index(where: str, name: str, *fields: str) -> ops.AddIndex:
    return ops.AddIndex(model_name='Delivery', index=IndexWhere(where, name=f"idx_deliveries_{name}", fields=fields))


def _of_account(model: str) -> ops.AddIndex:
    return ops.AddIndex(model_name=model, index=Index(fields=['account_id']))


_MARK = """
UPDATE events SET goes_nowhere = TRUE
WHERE NOT notice AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = events.id)
"""

# PostgreSQL leaves the former state of a changed row behind until a vacuum, in the table and in its indexes.
#
# A delivery is changed twice on its way, which no index spares, since the status is in their conditions. By
# default a vacuum comes once a fifth of the table has changed: the more was ever delivered, the more is left
# behind where the claims read. How much is open changes quickly as well, and plans go by it. With room on its
# page, a new state stands beside the old one (measured: 2 to 5 % less log and work, 4 % more table).
_DELIVERIES = {
    "fillfactor": "80",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_insert_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.02",
}
# A counter is changed with each batch of events. No index has what is counted, so with room on its page the
# new state needs no entry in any index (HOT), and the next reader of the page clears former ones away
# (measured: a fifth less work).
_COUNTERS = {"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.05"}
_COUNTED_IN = (
    "monthly_usage",
    "category_usage",
    "category_activity",
    "delivery_activity",
    "number_totals",
    "failure_counts",
)


async def _care_for_tables(_apps: object, editor: BaseSchemaEditor) -> None:
    if editor.DIALECT == "postgres":
        for table, settings in ({"deliveries": _DELIVERIES} | dict.fromkeys(_COUNTED_IN, _COUNTERS)).items():
            given = ", ".join(f"{name} = {value}" for name, value in settings.items())
            await editor.client.execute_query(f"ALTER TABLE {table} SET ({given})")


class Migration(migrations.Migration):
    dependencies = [('models', '0010_lists_of_events')]

    initial = False

    operations = [
        _index(_PENDING, 'pending', 'channel', 'account_id', 'destination', 'id', 'attempts', 'status'),
        _index(f"{_PENDING} AND attempts > 3", 'aside', 'channel', 'next_attempt_at'),
        _index(_SENDING, 'sending', 'channel', 'account_id', 'destination', 'status'),
        _index(_HELD, 'held', 'channel', 'next_attempt_at'),
        _index(_HELD, 'held_of', 'account_id', 'destination', 'id'),
        # Held every delivery there ever was, and was written anew with each change of its status
        ops.RemoveIndex(
            model_name='Delivery',
            name=None,
            fields=['channel', 'status', 'account_id', 'destination', 'id', 'attempts'],
        ),
        _of_account('ApiKey'),
        _of_account('Session'),
        _of_account('SignInLink'),
        _of_account('LinkCode'),
        ops.AddIndex(model_name='LinkGuess', index=Index(fields=['guessed_at'])),
        ops.AddField(
            model_name='Event',
            name='goes_nowhere',
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.RunSQL(_MARK),
        ops.AddIndex(
            model_name='Event',
            index=IndexWhere('goes_nowhere', name='idx_events_nowhere', fields=['account_id', 'id']),
        ),
        ops.RunPython(_care_for_tables),
    ]
