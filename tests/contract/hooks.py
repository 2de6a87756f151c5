"""What schemathesis must know of the contract that OpenAPI has no words for."""

import hashlib
import itertools
import re
from typing import Any

import schemathesis
from hypothesis import strategies as st

from api.shapes.destinations import LONGEST_ADDRESS
from pingpilot.accounts.quiet_hours import time_zones

# The formats that only a list could spell out; without these, texts are made that are refused with 422
schemathesis.openapi.format("emoji", st.sampled_from(["🚀", "🐛", "❤️", "👩‍🚀", "🇩🇪"]))
schemathesis.openapi.format("iana-time-zone", st.sampled_from(sorted(time_zones())))
_WELL_FORMED = re.compile(r"[\x21-\x7e]{1,255}")
A_WEBHOOK = "hook"
"""The name of the account's webhook."""
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
    _name_what_there_is(case)
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
    within = [*channels.values()] if isinstance(channels, dict) else []
    for each in [*within, case.body]:
        hours = each.get("quietHours") if isinstance(each, dict) else None
        if isinstance(hours, dict) and "from" in hours and hours["from"] == hours.get("until"):
            hours["until"] = "07:00" if hours["from"] != "07:00" else "08:00"


def _name_what_there_is(case: schemathesis.Case[Any]) -> None:
    """Destinations that the account has, an address of a mailbox, and nobody to mention in a direct chat."""
    named = case.path_parameters or {}
    if case.path.startswith("/api/v1/destinations/") and _is_a_name(named.get("name")):
        # One that is off is not tried for long, and one alone has a secret
        last = case.path.rpartition("/")[2]
        named["name"] = {"test": "discord", "rotate-secret": A_WEBHOOK}.get(last, "email")
    body: Any = case.body
    if not isinstance(body, dict):
        return
    if case.path.startswith("/api/v1/categories"):
        channels = body.get("channels")
        if isinstance(channels, list) and all(map(_is_a_name, channels)) and _is_a_set(channels):
            body["channels"] = ["email", "discord", "telegram"][: len(channels)]
        if _is_a_name(body.get("fallback")):
            body["fallback"] = "email"
    if case.path.startswith("/api/v1/destinations"):
        if isinstance(body.get("address"), str) and len(body["address"]) <= LONGEST_ADDRESS:
            is_webhook = body.get("channel") == "webhook"
            body["address"] = "https://hooks.example.com/" if is_webhook else "team@example.com"
        if isinstance(body.get("mention"), str):
            body["mention"] = None


def _is_a_set(names: list[str]) -> bool:
    return len(set(names)) == len(names)


def _is_a_name(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[a-z0-9-]{1,32}", value) is not None


def _keep_what_the_run_needs(case: schemathesis.Case[Any]) -> None:
    """Without its key or the category of the examples, all that follows would be refused."""
    named = case.path_parameters or {}
    if case.method == "DELETE" and named.get("name") == "sale":
        named["name"] = "question"
    if str(named.get("keyId")) == str(_OWN_KEY):
        named["keyId"] = _OWN_KEY + 1
