"""What schemathesis must know of the contract that OpenAPI has no words for."""

import hashlib
import re
from typing import Any

import schemathesis

_WELL_FORMED = re.compile(r"[\x21-\x7e]{1,255}")


@schemathesis.hook
def before_call(
    _context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]
) -> None:
    """Use an Idempotency-Key for one body alone: for another it is refused, however valid both are."""
    key = case.headers.get("Idempotency-Key")
    if isinstance(key, str) and _WELL_FORMED.fullmatch(key):
        body = hashlib.sha256(repr(case.body).encode(errors="replace")).hexdigest()
        case.headers["Idempotency-Key"] = key[: 255 - len(body)] + body
