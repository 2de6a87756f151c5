"""A migration only adds, so that a daemon of the version before goes on beside the one that migrated.

One that has to do more says so in its name (`NNNN_breaks_…`), and the version before refuses its schema.
"""

from pathlib import Path
from pkgutil import iter_modules

import asyncpg
from tortoise import Tortoise
from tortoise.migrations.api import migrate as apply_migrations

from models import migrations
from models.database import BREAKS, tortoise_config
from tests.support.databases import PostgresCopies

HELD_SINCE = "0011_open_deliveries"
"""The last migration from before the rule."""

_COLUMNS = """
SELECT table_name || '.' || column_name AS name, concat_ws(' ', data_type, character_maximum_length) AS kind,
    is_nullable = 'YES' AS is_nullable, column_default IS NOT NULL OR is_identity = 'YES' AS has_default
FROM information_schema.columns WHERE table_schema = 'public'
"""
_RULES = """
SELECT conrelid::regclass || ': ' || pg_get_constraintdef(oid) AS rule FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL SELECT indrelid::regclass || ': ' || pg_get_indexdef(indexrelid) FROM pg_index
WHERE indisunique AND indrelid::regclass::text NOT LIKE 'pg_%'
UNION ALL SELECT tgrelid::regclass || ': ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
"""
Schema = tuple[dict[str, tuple[str, bool, bool]], set[str]]


async def schema_of(database: asyncpg.Connection) -> Schema:
    """Return the columns, each with its type and whether it may be null and has a default, and the rules."""
    columns = {row["name"]: tuple(row)[1:] for row in await database.fetch(_COLUMNS)}
    return columns, {row["rule"] for row in await database.fetch(_RULES)}


def trouble(before: Schema, after: Schema) -> list[str]:
    """Return what statements written for the one schema would stumble over in the other."""
    columns, rules = after
    tables = {name.partition(".")[0] for name in before[0]}
    found = [f"{name} is gone" for name in before[0].keys() - columns.keys()]
    for name, (kind, is_nullable, has_default) in columns.items():
        if name.partition(".")[0] not in tables:
            continue
        was = before[0].get(name)
        if not was:
            found += [] if is_nullable or has_default else [f"{name} is new, and nobody fills it"]
        elif was[0] != kind:
            found.append(f"{name} is of another type")
        elif (was[1] and not is_nullable) or (was[2] and not has_default):
            found.append(f"{name} has to be filled")
    found += [f"another rule: {rule}" for rule in rules - before[1] if rule.partition(":")[0] in tables]
    return found + [f"a rule is gone: {rule}" for rule in before[1] - rules]


async def test_what_migrations_change_is_nothing_to_the_version_before(
    postgres_copies: PostgresCopies,
) -> None:
    url = postgres_copies.new_empty()
    names = sorted(each.name for each in iter_modules(migrations.__path__))
    database = await asyncpg.connect(url)
    found: dict[str, list[str]] = {}
    before: Schema = ({}, set())
    for name in names[names.index(HELD_SINCE) :]:
        try:
            await apply_migrations(config=tortoise_config(url, patience=None), target=f"models.{name}")
        finally:
            await Tortoise.close_connections()
        after = await schema_of(database)
        if name != HELD_SINCE and not BREAKS.match(name):
            found[name] = trouble(before, after)
        before = after
    await database.close()
    postgres_copies.drop(url)

    assert before[0]
    assert not any(found.values()), found


MORE_THAN_ADDS = {
    "DROP TABLE facts": "facts.name is gone",
    "ALTER TABLE facts RENAME value TO text": "facts.value is gone",
    "ALTER TABLE facts ALTER value TYPE VARCHAR(9)": "facts.value is of another type",
    "ALTER TABLE deliveries ALTER leased_by SET NOT NULL": "deliveries.leased_by has to be filled",
    "ALTER TABLE deliveries ALTER forgiven DROP DEFAULT": "deliveries.forgiven has to be filled",
    "ALTER TABLE facts ADD one INT NOT NULL": "facts.one is new, and nobody fills it",
    "CREATE UNIQUE INDEX one ON facts (value)": "another rule: facts: CREATE UNIQUE INDEX",
    "ALTER TABLE facts ADD CHECK (value <> '')": "another rule: facts: CHECK",
    "ALTER TABLE facts DROP CONSTRAINT facts_pkey": "a rule is gone: facts: PRIMARY KEY",
}
ADDS = (
    "ALTER TABLE facts ADD one INT NOT NULL DEFAULT 1, ADD two TEXT",
    "CREATE TABLE one (name TEXT PRIMARY KEY, fact TEXT NOT NULL REFERENCES facts)",
    "CREATE INDEX one ON facts (value)",
    "ALTER TABLE facts SET (fillfactor = 50)",
)


async def test_what_more_than_adds_is_found(postgres_copies: PostgresCopies, tmp_path: Path) -> None:
    url = postgres_copies.new(tmp_path)
    database = await asyncpg.connect(url)
    found = {}
    for statement in (*MORE_THAN_ADDS, *ADDS):
        transaction = database.transaction()
        await transaction.start()
        before = await schema_of(database)
        await database.execute(statement)
        found[statement] = trouble(before, await schema_of(database))
        await transaction.rollback()
    await database.close()
    postgres_copies.drop(url)

    missed = {
        statement for statement, said in MORE_THAN_ADDS.items() if said not in " ".join(found[statement])
    }
    assert not missed, found
    assert not any(found[statement] for statement in ADDS), found
