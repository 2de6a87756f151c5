from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

from models.indexes import IndexWhere

class Migration(migrations.Migration):
    dependencies = [('models', '0012_many_daemons')]

    initial = False

    operations = [
        ops.CreateModel(
            name='IncomingUpdate',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('bot', fields.CharField(max_length=64)),
                ('update_id', fields.BigIntField()),
                ('content', fields.TextField(null=True, unique=False)),
                ('received_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'incoming_updates', 'app': 'models', 'unique_together': (('bot', 'update_id'),), 'indexes': [IndexWhere('content IS NOT NULL', name='idx_incoming_updates_waiting', fields=['bot', 'id'])], 'pk_attr': 'id', 'table_description': 'Incoming updates'},
            bases=['Model'],
        ),
    ]
