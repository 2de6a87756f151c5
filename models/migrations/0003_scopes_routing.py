from tortoise import migrations
from tortoise.migrations import operations as ops
from models.api_key import KeyScope
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0002_combining_quiet_hours_retry')]

    initial = False

    operations = [
        ops.AddField(
            model_name='ApiKey',
            name='categories',
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name='ApiKey',
            name='expires_at',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='ApiKey',
            name='scope',
            field=fields.CharField(default=KeyScope.MANAGE, db_default='manage', max_length=16),
        ),
        ops.AddField(
            model_name='Category',
            name='channels',
            field=fields.CharField(null=True, max_length=128),
        ),
        ops.AddField(
            model_name='Category',
            name='fallback',
            field=fields.CharField(null=True, max_length=16),
        ),
        ops.AddField(
            model_name='Delivery',
            name='fallback_for',
            field=fields.BigIntField(source_field='stands_in_for', null=True),
        ),
    ]
