"""What comes out: the answers of a call by status, with their headers."""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from itertools import groupby
from typing import Any

from api.calls import Call
from api.errors import CODES
from api.middleware import ALWAYS_ANSWERED
from api.openapi.schemas import ANSWERED, Json, Schemas

_WITH_A_KEY = (
    "missing_authorization",
    "invalid_authorization_format",
    "invalid_api_key",
    "too_many_requests",
    "insufficient_scope",
    "processing_failed",
)
_WITH_A_BODY = ("request_timeout", "payload_too_large", "invalid_json", "validation_error")
_TOLD_BY = {"Idempotency-Key": "Idempotent-Replayed", "Prefer": "Preference-Applied"}
_OF_STATUS: Mapping[int, tuple[str, ...]] = {
    HTTPStatus.CREATED: ("Location",),
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}
_AFTER_A_COMMIT = {HTTPStatus.OK, HTTPStatus.INTERNAL_SERVER_ERROR}
_TO_STRANGERS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE}  # sent before the key is known
_HEADERS: Mapping[str, Json] = {
    "X-Request-Id": {
        "description": "The request's id: yours, or a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "RateLimit-Policy": {
        "description": "The month's quota and its length in seconds; left out where there is no limit.",
        "schema": {"type": "string", "pattern": '^"month";q=\\d+;w=\\d+$'},
        "example": '"month";q=100;w=2592000',
    },
    "RateLimit": {
        "description": "What is left of the quota, and the seconds until the next month.",
        "schema": {"type": "string", "pattern": '^"month";r=\\d+;t=\\d+$'},
        "example": '"month";r=37;t=648000',
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"required": True, "schema": {"type": "string", "const": "Bearer"}},
    "Location": {"description": "Where the new thing is.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "`true` where the Idempotency-Key named an event accepted before.",
        "schema": {"type": "string", "const": "true"},
    },
    "Preference-Applied": {
        "description": "The wait that was heeded, such as `wait=10`.",
        "schema": {"type": "string", "pattern": "^wait=\\d+$"},
    },
}


def replies(call: Call, schemas: Schemas) -> Json:
    """Return the call's answers by status, errors included."""
    answers = {status: _answer(call, status, schemas) for status in call.replies}
    by_status = sorted(codes_of(call), key=lambda code: CODES[code].status)
    for status, codes in groupby(by_status, key=lambda code: CODES[code].status):
        answers[status] = _merged(answers.get(status), _refusal(call, status, list(codes), schemas))
    return {str(int(status)): answers[status] for status in sorted(answers)}


def codes_of(call: Call) -> list[str]:
    """Return the codes the call may answer, each once."""
    codes = ["bad_request", *(_WITH_A_KEY if call.scope else ()), *(_WITH_A_BODY if call.body else ())]
    if call.query or call.headers:
        codes.append("validation_error")
    if call.path not in ALWAYS_ANSWERED:
        codes.append("shutting_down")
    return list(dict.fromkeys([*codes, *call.errors]))


def components() -> Json:
    """Return the headers that answers refer to."""
    return {name: dict(header) for name, header in _HEADERS.items()}


def _answer(call: Call, status: int, schemas: Schemas) -> Json:
    model = call.replies[status]
    content = (
        {"content": {"application/json": {"schema": schemas.reference(model, ANSWERED)}}} if model else {}
    )
    return {
        "description": (model and model.__doc__) or HTTPStatus(status).phrase,
        "headers": _headers(call, status),
        **content,
    }


def _refusal(call: Call, status: int, codes: list[str], schemas: Schemas) -> Json:
    return {
        "description": "\n".join(f"- `{code}`: {CODES[code].when}" for code in codes),
        "headers": _headers(call, status),
        "content": {
            "application/json": {
                "schema": _any_of(_shapes(codes, schemas)),
                "examples": {code: {"value": example_of(code)} for code in codes},
            }
        },
    }


def example_of(code: str) -> Json:
    """Return a body with the code."""
    return {"message": CODES[code].says, "code": code, **CODES[code].adds}


def _shapes(codes: Iterable[str], schemas: Schemas) -> Iterator[Json]:
    models = dict.fromkeys(CODES[code].shape for code in codes)
    for model in models:
        own = [code for code in codes if CODES[code].shape is model]
        yield {"allOf": [schemas.reference(model, ANSWERED)], "properties": {"code": {"enum": own}}}


def _any_of(shapes: Iterable[Json]) -> Json:
    several = list(shapes)
    return several[0] if len(several) == 1 else {"anyOf": several}


def _merged(answer: Json | None, refusal: Json) -> Json:
    """Join an answer and an error of one status, such as the two kinds of 503."""
    if answer is None or "content" not in answer:
        return refusal
    schemas: list[Any] = [each["content"]["application/json"]["schema"] for each in (answer, refusal)]
    content = {**refusal["content"]["application/json"], "schema": {"anyOf": schemas}}
    return {
        "description": f"{answer['description']}\n\n{refusal['description']}",
        "headers": answer["headers"] | refusal["headers"],
        "content": {"application/json": content},
    }


def _headers(call: Call, status: int) -> Json:
    names = ["X-Request-Id", *_OF_STATUS.get(status, ())]
    if call.scope and status not in _TO_STRANGERS:
        names += ["RateLimit-Policy", "RateLimit"]
    if status in _AFTER_A_COMMIT:
        names += [_TOLD_BY[name] for name in call.headers if name in _TOLD_BY]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
