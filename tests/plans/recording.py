"""Every statement that the program has its database execute, as the database itself tells it.

SQLite reports each statement with its values (`set_trace_callback`) and how much work it was
(`set_progress_handler`), PostgreSQL writes them into its log. So it makes no difference by which way of the
program's a statement gets there.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tortoise.connection import get_connections

READS_OR_WRITES = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
_STEPS_AT_ONCE = 100
_MOST_EXAMPLES = 4
_NOT_SHAPE = re.compile(r"'(?:[^']|'')*'|\$\d+|\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b|\?|:[a-z]\w*\b", re.IGNORECASE)
_LIST = re.compile(r"\((?:\?|NULL)(?:, (?:\?|NULL))*\)(?:, \((?:\?|NULL)(?:, (?:\?|NULL))*\))*")


def shape_of(sql: str) -> str:
    """Return a statement without its values, quotes and line breaks, lists as long as any other."""
    plain = _NOT_SHAPE.sub("?", sql.replace('"', "").replace("::", " as "))
    return _LIST.sub("(?)", " ".join(plain.split()))


@dataclass(slots=True)
class Statement:
    """What was executed under one shape: some examples, each with its values as SQL, and the most work.

    `steps` are those of SQLite's virtual machine, which are the same on any machine.
    """

    examples: dict[tuple[str, tuple[str, ...]], None] = field(default_factory=dict)
    steps: int = 0
    times: int = 0


class Recording:
    """Statements by their shape."""

    def __init__(self) -> None:
        self.statements: dict[str, Statement] = {}
        self._shapes: dict[str, str] = {}

    def note(self, sql: str, values: tuple[str, ...] = (), *, steps: int = 0) -> None:
        """Take a statement down, if it reads or writes rows."""
        sql = sql.strip().rstrip(";")
        if not sql.upper().startswith(READS_OR_WRITES):
            return
        shape = shape_of(sql)
        found = self.statements.setdefault(shape, Statement())
        found.times += 1
        if steps > found.steps:  # the example that was most work stands first
            found.steps = steps
            found.examples = {(sql, values): None, **found.examples}
        elif len(found.examples) < _MOST_EXAMPLES:
            found.examples[sql, values] = None


class _SqliteTrace:
    """Counts the steps of each statement on one connection."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._current = ""
        self._steps = 0

    def begin(self, sql: str) -> None:
        """The connection begins with a statement, or tells of a trigger's, which is a part of one."""
        if not sql.startswith("--"):
            self.end()
            self._current = sql

    def step(self) -> int:
        """The statement has made some steps more."""
        self._steps += _STEPS_AT_ONCE
        return 0

    def end(self) -> None:
        """The connection is done with its last statement."""
        self._recording.note(self._current, steps=self._steps)
        self._current, self._steps = "", 0


@asynccontextmanager
async def of_sqlite() -> AsyncIterator[Recording]:
    """Record what the open database is asked, on all of its connections, until the block ends."""
    recording, traces = Recording(), list[_SqliteTrace]()
    for client in get_connections().all():
        trace = _SqliteTrace(recording)
        async with client.acquire_connection() as opened:
            await opened.set_trace_callback(trace.begin)
            await opened.set_progress_handler(trace.step, _STEPS_AT_ONCE)
        traces.append(trace)
    yield recording
    for trace in traces:
        trace.end()


_ENTRY = re.compile(
    r"^\S+ \S+ \S+ \[\d+\] LOG:  (?:execute [^:]*|statement): (?P<sql>.*(?:\n\t.*)*)"
    r"(?:\n\S+ \S+ \S+ \[\d+\] DETAIL:  [Pp]arameters: (?P<values>.*(?:\n\t.*)*))?",
    re.MULTILINE,
)
_VALUE = re.compile(r"\$\d+ = ('(?:[^']|'')*'|NULL)")


def of_postgres_log(text: str) -> Recording:
    """Return what a part of PostgreSQL's log says was executed."""
    recording = Recording()
    for entry in _ENTRY.finditer(text):
        values = tuple(_VALUE.findall((entry["values"] or "").replace("\n\t", "\n")))
        recording.note(entry["sql"].replace("\n\t", "\n"), values)
    return recording
