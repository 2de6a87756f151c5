"""A transaction's work as a generator: it yields statements, and is sent the rows that each returned.

So written it is the same for both databases, and on SQLite runs wholly in the database's thread: the way
there and back costs more than most statements, and would be gone nine times for a batch of events.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

Rows: TypeAlias = Sequence[Any]
"""Rows of either driver: read by position or by the column's name."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One statement, written with `?`. What `= ANY(?)` compares with is a list.

    The text should never change with what it is asked for: both drivers keep what they made of it.
    """

    sql: str
    values: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows for a table, in their order; `then` is what follows, such as `ON CONFLICT … RETURNING …`.

    Table and columns come from our code, never from a user.
    """

    table: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    then: str = ""


Asked: TypeAlias = Ask | Insert | Sequence[Insert]
"""What work yields; several inserts, of which none may need rows, are one statement on PostgreSQL."""
Work: TypeAlias = Generator[Asked, Rows, T]
