from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.indexes import Index, PartialIndex


class Migration(migrations.Migration):
    dependencies = [('models', '0009_number_totals')]

    initial = False

    operations = [
        ops.AddIndex(
            model_name='Delivery',
            index=Index(fields=['account_id', 'destination', 'event_id']),
        ),
        ops.AddIndex(
            model_name='Delivery',
            index=PartialIndex(fields=['account_id', 'status', 'event_id'], condition={'status': 'failed'}),
        ),
    ]
