"""No statement of the program goes through a table that grows, nor reads more of it than a page may cost.

The program does what it does all day over a filled database, its statements are recorded, and the database is
asked how it carries them out: a statement that is written tomorrow is looked at by itself.
On SQLite that is its plan without statistics, since the program asks for none, and the steps that its machine
took. On PostgreSQL it is the planner's own choice for these rows, told of a hundred times as many, with the
values and for any values. To forbid it sequential scans (`enable_seqscan`) would only show that there is an
index, not that it is used: it prefers to walk a primary key past all other accounts' rows, where an ORDER BY
and a LIMIT make it hope for the best. All rows are in the statistics, so that nothing is left to a sample.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from tortoise import Tortoise

from models.database import open_database
from tests.conftest import PATIENT
from tests.http.api import serving
from tests.support.clock import ManualClock
from tests.support.databases import PostgresCopies

from . import hot_paths
from .judging import Found, on_postgres, on_sqlite
from .recording import Recording, of_postgres_log, of_sqlite, shape_of

MOST_ROWS = 5500
"""Rows of one table that PostgreSQL may read for a statement: a page of events looks at 5,000 at most."""
MOST_STEPS = 90_000
"""Steps that SQLite may take: 5,000 events with the deliveries of each are nearly as many."""
BOUNDED = {"bots", "daemons", "facts", "leaders"}
"""Tables that have a handful of rows, whatever happens."""


@dataclass(frozen=True, slots=True)
class Exempt:
    """Statements that may read much, or go through a table where they are allowed `scans`, and why.

    Those of one database alone name it.
    """

    part: str
    why: str
    scans: bool = True
    only: str = ""


EXEMPT = (
    Exempt(
        "SELECT channel, ? AS status, COUNT(*) AS depth", "counts what is open, when somebody scrapes", False
    ),
    Exempt(
        "SET next_attempt_at = ? WHERE channel = ? AND lane = ? AND status = ? AND ((attempts",
        "every ten minutes",
        False,
    ),
    Exempt("MAX(d.next_attempt_at) AS latest", "every ten minutes: all that is held, with its destination"),
    Exempt(
        "FROM destinations dest GROUP BY channel, kind, state", "counts destinations, when somebody scrapes"
    ),
    Exempt("SELECT a.email FROM accounts a WHERE NOT EXISTS", "at the start, and for the doctor"),
    Exempt("SELECT a.id FROM accounts a WHERE NOT EXISTS", "at the start"),
    Exempt(
        "FROM accounts WHERE is_operator=? AND suspended_at IS NULL LIMIT ?",
        "the doctor and the command line",
    ),
    Exempt("COUNT(*) FROM accounts", "the operator's page, and the doctor"),
    Exempt("FROM accounts WHERE NOT id=? LIMIT ?", "finds another account at once, where there is one"),
    Exempt("WHERE d.status = ? ORDER BY d.event_id DESC", "the command line, over all accounts"),
    Exempt(
        "DELETE FROM events WHERE id IN ( SELECT e.id", "goes along the oldest events and their deliveries"
    ),
    Exempt(
        "FROM deliveries d CROSS JOIN events e",
        "PostgreSQL reads the account's events of the same time, where that is less than to look up each",
        scans=False,
        only="postgres",
    ),
    Exempt("FROM delivery_attempts ORDER BY id DESC LIMIT", "the latest, by their ids", only="sqlite"),
    Exempt("SELECT group_concat(text, ?)", "a page of an export, as large as memory likes", only="sqlite"),
)

NOT_RUN = {
    "FOR NO KEY UPDATE": "PostgreSQL alone",
    "SELECT * FROM unnest(": "PostgreSQL alone",
    "SELECT ? FROM destinations dest WHERE dest.account_id = deliveries.account_id": "a race, by ids",
    "SELECT id FROM deliveries WHERE id = ANY(?)": "a race, by ids",
    "SET lane = ? WHERE id = ANY(?)": "a race, by ids",
    "AND NOT (id = ANY(?)) RETURNING id": "after the database was away: what one daemon is sending",
    "FROM leaders": "PostgreSQL alone: one row",
    "INTO leaders": "PostgreSQL alone: one row",
    "UPDATE leaders": "PostgreSQL alone: one row",
    "FROM daemons": "PostgreSQL alone: a row a daemon",
    "INTO daemons": "PostgreSQL alone: a row a daemon",
    "FROM unnest(": "PostgreSQL alone",
    "ROW(q.*)": "PostgreSQL alone: several questions as one",
    "WITH held AS": "PostgreSQL alone",
    "FROM charged": "PostgreSQL alone",
    "delivered_at = ? WHERE id = ANY(?)": "SQLite alone: PostgreSQL has one for all of a batch",
    "UPDATE bots SET name": "where one bot takes the place of another: a row",
    "SELECT name FROM": "asks which migrations were applied",
    "SELECT clock_timestamp()": "asks for the time",
    "SELECT ? FROM sqlite_master": "for a backup",
}
"""Statements that are not run here, and why."""


async def test_on_sqlite_nothing_that_grows_is_gone_through(sqlite_url: str, clock: ManualClock) -> None:
    clock.set_by(datetime.now(UTC) - clock.now())
    async with open_database(sqlite_url, patience=PATIENT), serving(clock) as api:
        prepared = await hot_paths.prepare(api, sqlite_url)
        async with of_sqlite() as recording:
            await hot_paths.go(api, prepared)

    found = on_sqlite(Path(sqlite_url.removeprefix("sqlite://")), recording, _growing())

    _tell([*_missed(recording), *_faults(found, MOST_STEPS), *_unneeded(found, "sqlite")])


async def test_on_postgres_nothing_that_grows_is_gone_through(
    postgres_copies: PostgresCopies, tmp_path: Path, clock: ManualClock
) -> None:
    clock.set_by(datetime.now(UTC) - clock.now())
    url = postgres_copies.new(tmp_path)
    async with open_database(url, patience=PATIENT), serving(clock) as api:
        prepared = await hot_paths.prepare(api, url)
    logged = postgres_copies.log_statements(url)
    async with open_database(url, patience=PATIENT), serving(clock) as api:
        await hot_paths.go(api, prepared.over(api))
    recording = of_postgres_log(logged())
    empty = await _hardly_filled(url)

    found = await on_postgres(url, recording, _growing())
    postgres_copies.drop(url)

    _tell(
        [
            *_missed(recording),
            *_faults(found, MOST_ROWS),
            *_unneeded(found, ""),
            *(f"has hardly any rows here: {each}" for each in empty),
        ]
    )


_WITHOUT_INDEX = """
SELECT conrelid::regclass::text || ' ' || attname FROM pg_constraint
JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
WHERE contype = 'f' AND NOT EXISTS (
    SELECT 1 FROM pg_index WHERE indrelid = conrelid AND indkey[0] = conkey[1]
)
"""


async def test_what_refers_to_a_row_that_goes_is_found_by_an_index(
    postgres_copies: PostgresCopies, tmp_path: Path
) -> None:
    """A plan says nothing of the look for what goes with a row (ON DELETE CASCADE)."""
    url = postgres_copies.new(tmp_path)
    database = await asyncpg.connect(url)
    try:
        assert [row[0] for row in await database.fetch(_WITHOUT_INDEX)] == []
    finally:
        await database.close()
        postgres_copies.drop(url)


def _growing() -> set[str]:
    return {model.Meta.table for model in Tortoise.apps["models"].values()} - BOUNDED


_FEW = 1000  # rows
_HARDLY_FILLED = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples < $1 ORDER BY relname
"""


async def _hardly_filled(url: str) -> list[str]:
    """Return the tables that grow and that no plan shows anything of, since they have few rows."""
    database = await asyncpg.connect(url)
    try:
        rows = await database.fetch(_HARDLY_FILLED, _FEW)
    finally:
        await database.close()
    return [row["relname"] for row in rows if row["relname"] in _growing()]


def _tell(faults: list[str]) -> None:
    """Fail with all of them, where there are any."""
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def _faults(found: dict[str, Found], most: int) -> Iterator[str]:
    """Say of each statement what it reads too much of."""
    for shape, each in found.items():
        own = [exempt for exempt in EXEMPT if exempt.part in shape]
        if each.scans and not any(exempt.scans for exempt in own):
            yield f"{each.scans}: {shape}"
        elif each.work > most and not own:
            yield f"{each.work} steps, or rows of {each.most}: {shape}"


def _unneeded(found: Iterable[str], only: str) -> Iterator[str]:
    """Name what is exempt, on one database alone or on both, and is not run."""
    for each in EXEMPT:
        if each.only == only and not any(each.part in shape for shape in found):
            yield f"is exempt, and not run: {each.part}"


def _missed(recording: Recording) -> Iterator[str]:
    """Name the SQL in our modules that no recorded statement has: a path to it is missing here."""
    shapes = "\n".join(recording.statements)
    root = Path(__file__).parents[2]
    for path in sorted(each for room in _ROOMS for each in (root / room).rglob("*.py")):
        if "migrations" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not (text := _sql_of(node)) or any(part in shape_of(text) for part in NOT_RUN):
                continue
            longest = max(map(shape_of, re.split(_PUT_IN, text)), key=len)
            if longest not in shapes:
                yield f"{path.relative_to(root)}:{getattr(node, 'lineno', 0)}: {longest}"


_ROOMS = ("api", "bots", "models", "pingpilot")
_PUT_IN = r"\{[^}]*\}|= ANY\(\?\)"  # a list goes to SQLite in another way
_SQL = re.compile(r"\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\b.*\b(?:FROM|SET|INTO)\b", re.DOTALL)


def _sql_of(node: ast.AST) -> str:
    """Return a text of the source that is SQL, with `{}` where something is put into it; else nothing."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    elif isinstance(node, ast.JoinedStr):
        text = "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)
    else:
        return ""
    return re.sub(r"'\{[^}]*\}'", "?", text) if _SQL.match(text) else ""
