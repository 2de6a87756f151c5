from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

# A handful of rows that are written every two to five seconds, for as long as a daemon runs. No index has what
# changes, so with room on its page each new state stands beside the old one (HOT), and whoever reads the page
# next clears former ones away. By its share alone a vacuum would come with each fiftieth change, since there
# are so few rows; it is told of a number instead.
_BEATEN = {
    "fillfactor": "30",
    "autovacuum_vacuum_scale_factor": "0",
    "autovacuum_vacuum_threshold": "2000",
    "autovacuum_analyze_scale_factor": "0",
    "autovacuum_analyze_threshold": "10000",
}


async def _care_for_tables(_apps: object, editor: BaseSchemaEditor) -> None:
    if editor.DIALECT == "postgres":
        given = ", ".join(f"{name} = {value}" for name, value in _BEATEN.items())
        for table in ("daemons", "leaders"):
            await editor.client.execute_query(f"ALTER TABLE {table} SET ({given})")


class Migration(migrations.Migration):
    dependencies = [('models', '0011_open_deliveries')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Member',
            fields=[
                ('identity', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=128)),
                ('host', fields.CharField(max_length=255)),
                ('version', fields.CharField(max_length=32)),
                ('started_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('seen_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'daemons', 'app': 'models', 'pk_attr': 'identity', 'table_description': 'Daemons'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Leader',
            fields=[
                ('token', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=96)),
                ('holder', fields.CharField(max_length=128)),
                ('epoch', fields.BigIntField()),
                ('since', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('expires_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'leaders', 'app': 'models', 'pk_attr': 'token', 'table_description': 'Leaders'},
            bases=['Model'],
        ),
        ops.RunPython(_care_for_tables),
    ]
