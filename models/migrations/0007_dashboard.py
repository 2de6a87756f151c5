from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

# What came and went in the last 40 days, counted once; from now on intake and journal keep it
_EVENTS = """
INSERT INTO category_activity (account_id, slot, category, events)
SELECT account_id, {created}, category, COUNT(*) FROM events
WHERE NOT notice AND created_at >= {since} GROUP BY 1, 2, 3
"""
_DELIVERIES = """
INSERT INTO delivery_activity (account_id, slot, category, destination, delivered, failed)
SELECT e.account_id, {settled}, e.category, d.destination,
    COUNT(CASE WHEN d.status = 'delivered' THEN 1 END), COUNT(CASE WHEN d.status = 'failed' THEN 1 END)
FROM deliveries d JOIN events e ON e.id = d.event_id
WHERE NOT e.notice AND e.created_at >= {since} AND d.status IN ('delivered', 'failed') GROUP BY 1, 2, 3, 4
"""
_SLOT = {
    "sqlite": "CAST(strftime('%s', {instant}) AS INTEGER) / 900",
    "postgres": "FLOOR(EXTRACT(EPOCH FROM {instant}) / 900)::BIGINT",
}
_SINCE = {
    "sqlite": "strftime('%Y-%m-%d', 'now', '-40 days')",
    "postgres": "NOW() - INTERVAL '40 days'",
}


async def _count(_apps: object, editor: BaseSchemaEditor) -> None:
    slot, since = _SLOT[editor.DIALECT], _SINCE[editor.DIALECT]
    created = slot.format(instant="created_at")
    settled = slot.format(instant="COALESCE(d.delivered_at, e.created_at)")
    await editor.client.execute_query(_EVENTS.format(created=created, since=since))
    await editor.client.execute_query(_DELIVERIES.format(settled=settled, since=since))


class Migration(migrations.Migration):
    dependencies = [('models', '0006_destinations')]

    initial = False

    operations = [
        ops.CreateModel(
            name='CategoryActivity',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='category_activity', on_delete=OnDelete.CASCADE)),
                ('slot', fields.BigIntField(db_index=True)),
                ('category', fields.CharField(max_length=64)),
                ('events', fields.BigIntField()),
            ],
            options={'table': 'category_activity', 'app': 'models', 'unique_together': (('account_id', 'slot', 'category'),), 'pk_attr': 'id', 'table_description': 'Category activity'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='DeliveryActivity',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='delivery_activity', on_delete=OnDelete.CASCADE)),
                ('slot', fields.BigIntField(db_index=True)),
                ('category', fields.CharField(max_length=64)),
                ('destination', fields.CharField(max_length=32)),
                ('delivered', fields.BigIntField()),
                ('failed', fields.BigIntField()),
            ],
            options={'table': 'delivery_activity', 'app': 'models', 'unique_together': (('account_id', 'slot', 'category', 'destination'),), 'pk_attr': 'id', 'table_description': 'Delivery activity'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Session',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='sessions', on_delete=OnDelete.CASCADE)),
                ('hash', fields.CharField(unique=True, max_length=64)),
                ('browser', fields.CharField(max_length=64)),
                ('address', fields.CharField(max_length=64)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('seen_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('expires_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'sessions', 'app': 'models', 'pk_attr': 'id', 'table_description': 'Sessions'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='SignInLink',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='sign_in_links', on_delete=OnDelete.CASCADE)),
                ('hash', fields.CharField(unique=True, max_length=64)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('expires_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('used_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'sign_in_links', 'app': 'models', 'pk_attr': 'id', 'table_description': 'Sign-in links'},
            bases=['Model'],
        ),
        ops.AddIndex(
            model_name='Event',
            index=Index(fields=['account_id', 'category', 'id']),
        ),
        ops.RunPython(_count),
    ]
