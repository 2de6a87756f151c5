from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.indexes import IndexWhere

# Each bot of a channel claims what it can send, at a cost that does not grow with what waits for the others
_PENDING = ('channel', 'account_id', 'destination', 'id', 'attempts', 'status')
_ASIDE = ('channel', 'next_attempt_at')


def _index(where: str, name: str, *fields: str) -> IndexWhere:
    return IndexWhere(where, name=f"idx_deliveries_{name}", fields=fields)


class Migration(migrations.Migration):
    dependencies = [('models', '0013_incoming_updates')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Bot',
            fields=[
                ('name', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=96)),
                ('channel', fields.CharField(max_length=16)),
                ('lane', fields.SmallIntField()),
                ('in_use', fields.BooleanField(default=True, db_default=True)),
            ],
            options={'table': 'bots', 'app': 'models', 'unique_together': (('channel', 'lane'),), 'pk_attr': 'name', 'table_description': 'Bots'},
            bases=['Model'],
        ),
        ops.AddField(model_name='Destination', name='lane', field=fields.SmallIntField(default=0, db_default=0)),
        ops.AddIndex(model_name='Destination', index=Index(fields=['channel', 'lane'])),
        ops.AddField(model_name='Delivery', name='lane', field=fields.SmallIntField(default=0, db_default=0)),
        ops.AddIndex(
            model_name='Delivery',
            index=_index("status = 'pending'", 'pending_of', _PENDING[0], 'lane', *_PENDING[1:]),
        ),
        ops.AddIndex(
            model_name='Delivery',
            index=_index("status = 'pending' AND attempts > 3", 'aside_of', _ASIDE[0], 'lane', *_ASIDE[1:]),
        ),
        ops.RemoveIndex(model_name='Delivery', name='idx_deliveries_pending'),
        ops.RemoveIndex(model_name='Delivery', name='idx_deliveries_aside'),
    ]
