"""What schemathesis must know of the contract that OpenAPI has no words for."""

import hashlib
import itertools
import re
from typing import Any

import schemathesis
from hypothesis import strategies as st

from pingpilot.accounts.quiet_hours import time_zones

# The formats that only a list could spell out; without these, texts are made that are refused with 422
schemathesis.openapi.format("emoji", st.sampled_from(["🚀", "🐛", "❤️", "👩‍🚀", "🇩🇪"]))
schemathesis.openapi.format("iana-time-zone", st.sampled_from(sorted(time_zones())))
_WELL_FORMED = re.compile(r"[\x21-\x7e]{1,255}")
_NUMBERS = itertools.count()
_OWN_KEY = 1
"""The id of the key that the run calls with: the database is new, and the account its first."""


@schemathesis.hook
def before_call(
    _context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]
) -> None:
    _use_an_idempotency_key_for_one_body(case)
    _keep_what_the_run_needs(case)
    _end_quiet_hours_at_another_time(case)
    # Bad keys are counted by address, and the checks send many on purpose
    case.headers["X-Forwarded-For"] = f"10.{next(_NUMBERS) >> 8 & 255}.{next(_NUMBERS) & 255}.1"


def _use_an_idempotency_key_for_one_body(case: schemathesis.Case[Any]) -> None:
    """For another one it is refused, however valid both are."""
    key = case.headers.get("Idempotency-Key")
    if isinstance(key, str) and _WELL_FORMED.fullmatch(key):
        body = hashlib.sha256(repr(case.body).encode(errors="replace")).hexdigest()
        case.headers["Idempotency-Key"] = key[: 255 - len(body)] + body


def _end_quiet_hours_at_another_time(case: schemathesis.Case[Any]) -> None:
    """JSON Schema has no words for it."""
    channels = case.body.get("channels") if isinstance(case.body, dict) else None
    for channel in channels.values() if isinstance(channels, dict) else ():
        hours = channel.get("quietHours") if isinstance(channel, dict) else None
        if isinstance(hours, dict) and "from" in hours and hours["from"] == hours.get("until"):
            hours["until"] = "07:00" if hours["from"] != "07:00" else "08:00"


def _keep_what_the_run_needs(case: schemathesis.Case[Any]) -> None:
    """Without its key or the category of the examples, all that follows would be refused."""
    named = case.path_parameters or {}
    if case.method == "DELETE" and named.get("name") == "sale":
        named["name"] = "question"
    if str(named.get("keyId")) == str(_OWN_KEY):
        named["keyId"] = _OWN_KEY + 1
