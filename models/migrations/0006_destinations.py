from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state import State

# Until now an account had one destination a channel: it goes on as the direct one, named after its channel
_COLUMNS = (
    "account_id, channel, enabled, address, user_id, username, linked_at, suspended_reason, quiet_from, "
    "quiet_until, quiet_silently, muted_until"
)
_COPY = (
    f"INSERT INTO destinations (kind, name, {_COLUMNS}) "  # noqa: S608
    f"SELECT 'direct', channel, {_COLUMNS} FROM account_channels ORDER BY id"
)

_WIDENED = """
CREATE TABLE "wide" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" VARCHAR(64) NOT NULL,
    "color" VARCHAR(7) NOT NULL,
    "emoji" VARCHAR(64),
    "created_at" TIMESTAMP NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "accounts" ("id") ON DELETE CASCADE,
    "urgent" INT NOT NULL DEFAULT 0,
    "channels" TEXT,
    "fallback" VARCHAR(32),
    CONSTRAINT "uid_categories_account_944da7" UNIQUE ("account_id", "name")
);
INSERT INTO wide (id, name, color, emoji, created_at, account_id, urgent, channels, fallback)
SELECT id, name, color, emoji, created_at, account_id, urgent, channels, fallback FROM categories;
DROP TABLE categories;
ALTER TABLE wide RENAME TO categories
"""


async def _widen_on_sqlite(_apps: object, editor: BaseSchemaEditor) -> None:
    """Make the table of categories anew; Tortoise's own way would lose that names are unique."""
    if editor.DIALECT == "sqlite":
        for statement in _WIDENED.split(";"):
            await editor.client.execute_query(statement)


class _AlterOnPostgres(ops.AlterField):
    """Alters a field where the table need not be made anew for it."""

    async def database_forward(
        self,
        app_label: str,
        old_state: State,
        new_state: State,
        state_editor: BaseSchemaEditor | None = None,
    ) -> None:
        if state_editor and state_editor.DIALECT != "sqlite":
            await super().database_forward(app_label, old_state, new_state, state_editor)


class Migration(migrations.Migration):
    dependencies = [('models', '0005_title_url')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Destination',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='destinations', on_delete=OnDelete.CASCADE)),
                ('channel', fields.CharField(max_length=16)),
                ('kind', fields.CharField(max_length=16)),
                ('name', fields.CharField(max_length=32)),
                ('title', fields.CharField(null=True, max_length=256)),
                ('enabled', fields.BooleanField()),
                ('address', fields.CharField(null=True, max_length=2000)),
                ('topic', fields.CharField(null=True, max_length=32)),
                ('user_id', fields.CharField(null=True, max_length=32)),
                ('username', fields.CharField(null=True, max_length=64)),
                ('linked_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('suspended_reason', fields.TextField(null=True, unique=False)),
                ('quiet_from', fields.SmallIntField(null=True)),
                ('quiet_until', fields.SmallIntField(null=True)),
                ('quiet_silently', fields.BooleanField(default=False, db_default=False)),
                ('muted_until', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('mention', fields.CharField(null=True, max_length=32)),
                ('secret', fields.CharField(null=True, max_length=128)),
                ('former_secret', fields.CharField(null=True, max_length=128)),
                ('former_secret_until', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'destinations', 'app': 'models', 'unique_together': (('account_id', 'name'),), 'indexes': [Index(fields=['channel', 'user_id']), Index(fields=['channel', 'address'])], 'pk_attr': 'id', 'table_description': 'Destinations'},
            bases=['Model'],
        ),
        ops.RunSQL(_COPY),
        ops.RunPython(_widen_on_sqlite),
        _AlterOnPostgres(
            model_name='Category',
            name='channels',
            field=fields.TextField(null=True, unique=False),
        ),
        _AlterOnPostgres(
            model_name='Category',
            name='fallback',
            field=fields.CharField(null=True, max_length=32),
        ),
        ops.RemoveIndex(
            model_name='Delivery',
            name=None,
            fields=['channel', 'status', 'account_id', 'id', 'attempts'],
        ),
        ops.AddField(
            model_name='Delivery',
            name='destination',
            field=fields.CharField(db_default='', max_length=32),
        ),
        ops.RunSQL("UPDATE deliveries SET destination = channel"),
        ops.AddIndex(
            model_name='Delivery',
            index=Index(fields=['channel', 'status', 'account_id', 'destination', 'id', 'attempts']),
        ),
        ops.AddField(
            model_name='LinkCode',
            name='room',
            field=fields.CharField(null=True, max_length=32),
        ),
        ops.DeleteModel(name='AccountChannel'),
    ]
