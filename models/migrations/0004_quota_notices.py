from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0003_scopes_routing')]

    initial = False

    operations = [
        ops.AddField(
            model_name='MonthlyUsage',
            name='told_limit',
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name='MonthlyUsage',
            name='told_percent',
            field=fields.SmallIntField(default=0, db_default=0),
        ),
    ]
