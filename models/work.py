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


@dataclass(frozen=True, slots=True)
class AskAll:
    """Several questions at one moment, of which none needs what another one returns.

    Sent back are the rows of each, to be read by position alone. They are one statement on PostgreSQL.
    """

    asks: Sequence[Ask]


@dataclass(frozen=True, slots=True)
class Charge:
    """Events added to counters of a month, and the rows that go in with them; one statement on PostgreSQL.

    `counts` are rows of an account, its counter as it was read (None: there was none), and how many are
    added. Where another process changed the counter meanwhile, nothing of that account goes in: what was
    decided by it no longer holds. Sent back are the accounts, a row each, of which all went in.
    """

    month: str
    counts: Sequence[tuple[int, int | None, int]]
    then: Sequence[Insert]


Asked: TypeAlias = Ask | Insert | Sequence[Insert] | Charge
"""What work yields; several inserts, of which none may need rows, are one statement on PostgreSQL."""
Work: TypeAlias = Generator[Asked | AskAll, Any, T]
