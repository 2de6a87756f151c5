from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

# The first ten numbers of each event of the last 40 days, added up once by the database, which keeps what it
# sorts on the disk; from now on the intake does it
_ADD_UP = """
INSERT INTO number_totals (account_id, category, field, slot, events, total, smallest, largest)
SELECT account_id, category, field, slot, COUNT(*), SUM(number), MIN(number), MAX(number) FROM (
    SELECT e.account_id, e.category, n.key AS field, {slot} AS slot, {number} AS number,
        ROW_NUMBER() OVER (PARTITION BY e.id ORDER BY n.id) AS place
    FROM events e CROSS JOIN {each}
    WHERE NOT e.notice AND e.created_at >= {since} AND e.fields_json <> '{{}}' AND {is_number}
) AS numbers WHERE place <= 10 GROUP BY account_id, category, field, slot
"""
_PARTS = {
    "sqlite": {
        "slot": "CAST(strftime('%s', e.created_at) AS INTEGER) / 900",
        "since": "strftime('%Y-%m-%d', 'now', '-40 days')",
        "each": "json_each(e.fields_json) n",
        "number": "CAST(n.value AS REAL)",
        "is_number": "n.type IN ('integer', 'real') AND n.value BETWEEN -1e300 AND 1e300",
    },
    "postgres": {
        "slot": "FLOOR(EXTRACT(EPOCH FROM e.created_at) / 900)::BIGINT",
        "since": "NOW() - INTERVAL '40 days'",
        "each": "LATERAL json_each(e.fields_json::json) WITH ORDINALITY AS n(key, value, id)",
        "number": "n.value::text::double precision",
        # As a CASE: PostgreSQL would look at the conditions of an AND in any order
        "is_number": "CASE WHEN json_typeof(n.value) = 'number' "
        "THEN n.value::text::numeric BETWEEN -1e300 AND 1e300 ELSE FALSE END",
    },
}


async def _add_up(_apps: object, editor: BaseSchemaEditor) -> None:
    await editor.client.execute_query(_ADD_UP.format(**_PARTS[editor.DIALECT]))


class Migration(migrations.Migration):
    dependencies = [('models', '0008_operator')]

    initial = False

    operations = [
        ops.CreateModel(
            name='NumberTotals',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='number_totals', on_delete=OnDelete.CASCADE)),
                ('category', fields.CharField(max_length=64)),
                ('field', fields.CharField(max_length=256)),
                ('slot', fields.BigIntField(db_index=True)),
                ('events', fields.BigIntField()),
                ('total', fields.FloatField()),
                ('smallest', fields.FloatField()),
                ('largest', fields.FloatField()),
            ],
            options={'table': 'number_totals', 'app': 'models', 'unique_together': (('account_id', 'category', 'field', 'slot'),), 'pk_attr': 'id', 'table_description': 'Number totals'},
            bases=['Model'],
        ),
        ops.AddIndex(
            model_name='CategoryActivity',
            index=Index(fields=['account_id', 'category', 'slot']),
        ),
        ops.RunPython(_add_up),
    ]
