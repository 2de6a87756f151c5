from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0001_initial')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Account',
            name='combine',
            field=fields.BooleanField(default=True, db_default=True),
        ),
        ops.AddField(
            model_name='AccountChannel',
            name='muted_until',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='AccountChannel',
            name='quiet_from',
            field=fields.SmallIntField(null=True),
        ),
        ops.AddField(
            model_name='AccountChannel',
            name='quiet_silently',
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AddField(
            model_name='AccountChannel',
            name='quiet_until',
            field=fields.SmallIntField(null=True),
        ),
        ops.AddField(
            model_name='Category',
            name='urgent',
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AddField(
            model_name='Delivery',
            name='forgiven',
            field=fields.IntField(default=0, db_default=0),
        ),
    ]
