"""Indexes over some of a table's rows, by any condition.

Migrations import this module: its names stay.
"""

from collections.abc import Sequence
from typing import Any

from tortoise.indexes import Index


class IndexWhere(Index):
    """An index over the rows for which a condition holds, given as SQL; Tortoise's own knows only `=`.

    A statement can use it where it has the condition itself, with the same values written into it: SQLite
    draws no conclusions. Its name is given, since Tortoise would make it of the columns alone.
    """

    def __init__(self, where: str, *, name: str, fields: Sequence[str]) -> None:
        super().__init__(name=name, fields=list(fields))
        self.where = where
        self.extra = f" WHERE {where}"

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        path, _, arguments = super().deconstruct()
        return path, [self.where], arguments
