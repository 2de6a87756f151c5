"""docs/errors.md, made of the one table in api/errors.py; a test holds the file to it."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from api.errors import Code, codes, example_of
from api.shapes.errors import Problem

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"
_BEGINNING = """\
# Errors

<!-- Made of api/errors.py; after a change there: `.venv/bin/python -m website errors` -->

Every error is `{"message": "<what to do>", "code": "<stable code>"}`. The message is for people and may be
worded anew; the code stays. `Retry-After` says how many seconds to wait where waiting helps.
[Sending events](sending-events.md#what-to-do-about-errors) tells which are worth another try.
"""


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    by_status: dict[HTTPStatus, dict[str, Code]] = {}
    for name, code in codes().items():
        by_status.setdefault(code.status, {})[name] = code
    yield _BEGINNING
    yield "| status | codes |\n|---|---|"
    for status, listed in sorted(by_status.items()):
        yield f"| {int(status)} | {', '.join(f'[`{name}`](#{name})' for name in listed)} |"
    for status, listed in sorted(by_status.items()):
        yield f"\n## {int(status)} {status.phrase}"
        for name, code in listed.items():
            yield f"\n### `{name}`\n"
            yield f"{code.when[0].upper()}{code.when[1:]}."
            sentences = (name, *(f"{name}/{variant}" for variant in code.variants))
            yield "\n" + "\n".join(f"- {example_of(each)}" for each in sentences)
            if code.shape is not Problem:  # its body has more members than the two that all have
                bodies = [json.loads(example_of(each).reply().body) for each in sentences]  # type: ignore[arg-type]
                yield f"\n```json\n{json.dumps(max(bodies, key=len), indent=2, ensure_ascii=False)}\n```"
    yield ""
