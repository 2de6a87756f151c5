from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0007_dashboard')]

    initial = False

    operations = [
        ops.CreateModel(
            name='FailureCount',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('hour', fields.BigIntField()),
                ('channel', fields.CharField(max_length=16)),
                ('final', fields.BooleanField()),
                ('reason', fields.CharField(max_length=160)),
                ('failures', fields.BigIntField()),
            ],
            options={'table': 'failure_counts', 'app': 'models', 'unique_together': (('hour', 'channel', 'final', 'reason'),), 'pk_attr': 'id', 'table_description': 'Failure counts'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='SignUpLink',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('email', fields.CharField(db_index=True, max_length=254)),
                ('is_invitation', fields.BooleanField()),
                ('plan', fields.CharField(null=True, max_length=16)),
                ('hash', fields.CharField(unique=True, max_length=64)),
                ('created_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('expires_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('used_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'sign_up_links', 'app': 'models', 'pk_attr': 'id', 'table_description': 'Sign-up links'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Account',
            name='is_operator',
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AddField(
            model_name='Account',
            name='suspended_at',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='Session',
            name='by_proxy',
            field=fields.BooleanField(default=False, db_default=False),
        ),
    ]
