from tortoise import migrations
from tortoise.migrations import operations as ops
from models.ids import uuid7
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name='Account',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('email', fields.CharField(unique=True, max_length=254)),
                ('plan', fields.CharField(max_length=16)),
                ('monthly_events', fields.BigIntField(null=True)),
                ('time_zone', fields.CharField(max_length=64)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'accounts', 'app': 'models', 'pk_attr': 'id', 'table_description': 'Accounts'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='AccountChannel',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='channels', on_delete=OnDelete.CASCADE)),
                ('channel', fields.CharField(max_length=16)),
                ('enabled', fields.BooleanField()),
                ('address', fields.CharField(null=True, max_length=254)),
                ('user_id', fields.CharField(null=True, max_length=32)),
                ('username', fields.CharField(null=True, max_length=64)),
                ('linked_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('suspended_reason', fields.TextField(null=True, unique=False)),
            ],
            options={'table': 'account_channels', 'app': 'models', 'unique_together': (('account_id', 'channel'),), 'indexes': [Index(fields=['channel', 'user_id'])], 'pk_attr': 'id', 'table_description': 'Account channels'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='ApiKey',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='keys', on_delete=OnDelete.CASCADE)),
                ('name', fields.CharField(max_length=64)),
                ('prefix', fields.CharField(db_index=True, max_length=8)),
                ('hash', fields.CharField(unique=True, max_length=64)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('last_used_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('revoked_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'api_keys', 'app': 'models', 'pk_attr': 'id', 'table_description': 'Api keys'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Category',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='categories', on_delete=OnDelete.CASCADE)),
                ('name', fields.CharField(max_length=64)),
                ('color', fields.CharField(max_length=7)),
                ('emoji', fields.CharField(null=True, max_length=64)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'categories', 'app': 'models', 'unique_together': (('account_id', 'name'),), 'pk_attr': 'id', 'table_description': 'Categories'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='CategoryUsage',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='category_usage', on_delete=OnDelete.CASCADE)),
                ('category', fields.CharField(max_length=64)),
                ('month', fields.CharField(max_length=7)),
                ('events', fields.BigIntField()),
                ('last_event_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'category_usage', 'app': 'models', 'unique_together': (('account_id', 'category', 'month'),), 'pk_attr': 'id', 'table_description': 'Category usage'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Event',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='events', on_delete=OnDelete.CASCADE)),
                ('category', fields.CharField(max_length=64)),
                ('description', fields.TextField(unique=False)),
                ('fields_json', fields.TextField(unique=False)),
                ('notice', fields.BooleanField(default=False, db_default=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'events', 'app': 'models', 'indexes': [Index(fields=['account_id', 'id'])], 'pk_attr': 'id', 'table_description': 'Events'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Delivery',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('event', fields.ForeignKeyField('models.Event', source_field='event_id', db_index=True, db_constraint=True, to_field='id', related_name='deliveries', on_delete=OnDelete.CASCADE)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='deliveries', on_delete=OnDelete.CASCADE)),
                ('channel', fields.CharField(max_length=16)),
                ('status', fields.CharField(max_length=16)),
                ('attempts', fields.IntField(default=0, db_default=0)),
                ('next_attempt_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('leased_by', fields.CharField(null=True, max_length=128)),
                ('lease_until', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('last_error', fields.TextField(null=True, unique=False)),
                ('delivered_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'deliveries', 'app': 'models', 'indexes': [Index(fields=['channel', 'status', 'account_id', 'id', 'attempts'])], 'pk_attr': 'id', 'table_description': 'Deliveries'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='DeliveryAttempt',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('delivery', fields.ForeignKeyField('models.Delivery', source_field='delivery_id', db_index=True, db_constraint=True, to_field='id', related_name='history', on_delete=OnDelete.CASCADE)),
                ('started_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('duration_ms', fields.IntField()),
                ('outcome', fields.CharField(max_length=16)),
                ('reason', fields.TextField(null=True, unique=False)),
            ],
            options={'table': 'delivery_attempts', 'app': 'models', 'pk_attr': 'id', 'table_description': 'Delivery attempts'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Fact',
            fields=[
                ('name', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ('value', fields.TextField(unique=False)),
            ],
            options={'table': 'facts', 'app': 'models', 'pk_attr': 'name', 'table_description': 'Facts'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='idempotency_keys', on_delete=OnDelete.CASCADE)),
                ('key', fields.CharField(max_length=255)),
                ('body_hash', fields.CharField(max_length=64)),
                ('event', fields.ForeignKeyField('models.Event', source_field='event_id', db_index=True, db_constraint=True, to_field='id', related_name='idempotency_keys', on_delete=OnDelete.CASCADE)),
                ('created_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'idempotency_keys', 'app': 'models', 'unique_together': (('account_id', 'key'),), 'pk_attr': 'id', 'table_description': 'Idempotency keys'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='LinkCode',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='link_codes', on_delete=OnDelete.CASCADE)),
                ('hash', fields.CharField(unique=True, max_length=64)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('expires_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('used_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'link_codes', 'app': 'models', 'pk_attr': 'id', 'table_description': 'Link codes'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='LinkGuess',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('channel', fields.CharField(max_length=16)),
                ('user_id', fields.CharField(max_length=32)),
                ('guessed_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'link_guesses', 'app': 'models', 'indexes': [Index(fields=['channel', 'user_id', 'guessed_at'])], 'pk_attr': 'id', 'table_description': 'Link guesses'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='MonthlyUsage',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='usage', on_delete=OnDelete.CASCADE)),
                ('month', fields.CharField(max_length=7)),
                ('events', fields.BigIntField()),
            ],
            options={'table': 'monthly_usage', 'app': 'models', 'unique_together': (('account_id', 'month'),), 'pk_attr': 'id', 'table_description': 'Monthly usage'},
            bases=['Model'],
        ),
    ]
