from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0004_quota_notices')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Event',
            name='title',
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name='Event',
            name='url',
            field=fields.TextField(null=True, unique=False),
        ),
    ]
