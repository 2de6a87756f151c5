"""Looking for a text in what events say."""

import json

from tortoise.backends.base.client import BaseDBAsyncClient

from models.sql import is_postgres

LONGEST_TEXT = 200
"""Characters of a text that is looked for."""


def text_condition(connection: BaseDBAsyncClient, text: str) -> tuple[str, list[str]]:
    """Return SQL over `events e` that holds where title, description or fields contain the text, in any case.

    SQLite's `LIKE` knows the two cases of ASCII letters alone, and PostgreSQL's those of the database's
    locale: a text with others is looked for as written, in lower case, in upper case, and with capitals.
    """
    like = "ILIKE" if is_postgres(connection) else "LIKE"
    spellings = {text} if text.isascii() else {text, text.lower(), text.upper(), text.title()}
    parts, values = list[str](), list[str]()
    for spelling in sorted(spellings):
        said, inside = _pattern(spelling), _pattern(json.dumps(spelling, ensure_ascii=False)[1:-1])
        parts += [f"e.{column} {like} ? ESCAPE '!'" for column in ("title", "description", "fields_json")]
        values += [said, said, inside]
    return f"({' OR '.join(parts)})", values


def _pattern(text: str) -> str:
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return f"%{text}%"
