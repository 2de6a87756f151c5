"""What comes out: the answers of a call by status, with their headers."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from api.calls import Call
from api.errors import codes, example_of
from api.middleware import ALWAYS_ANSWERED
from api.openapi.schemas import ANSWERED, Json, Schemas
from pingpilot.channels import CHANNELS

_WITH_A_KEY = (
    "missing_authorization",
    "missing_authorization/in_address",
    "invalid_authorization_format",
    "invalid_authorization_format/basic",
    "invalid_api_key",
    "too_many_requests",
    "account_suspended",
    "insufficient_scope",
    "processing_failed",
)
_WITH_A_BODY = ("request_timeout", "payload_too_large", "invalid_json", "validation_error")
_ANSWERED_BY = {"Idempotency-Key": "Idempotent-Replayed", "Prefer": "Preference-Applied"}
_AFTER_A_COMMIT = {HTTPStatus.OK, HTTPStatus.INTERNAL_SERVER_ERROR}
_TO_STRANGERS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE}  # sent before the key is known
HEADERS: Mapping[str, Json] = {
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
    "WWW-Authenticate": {
        "description": "What the call needs (RFC 6750).",
        "schema": {"type": "string", "pattern": "^Bearer"},
    },
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


def errors_of(call: Call) -> list[str]:
    """Return the errors the call may answer, each once, as `ApiError` takes them."""
    errors = ["bad_request", *(_WITH_A_KEY if call.scope else ()), *(_WITH_A_BODY if call.body else ())]
    if call.query or call.headers:
        errors.append("validation_error")
    if call.path not in ALWAYS_ANSWERED:
        errors.append("shutting_down")
    if call.needs_links:
        errors += [kind.unlinked_code for kind in CHANNELS.values() if kind.unlinked_code]
    return list(dict.fromkeys([*errors, *call.errors]))


def replies(call: Call, schemas: Schemas) -> Json:
    """Return the call's answers by status, errors included."""
    by_status: dict[int, list[str]] = {status: [] for status in call.replies}
    for name in errors_of(call):
        by_status.setdefault(example_of(name).status, []).append(name)
    return {
        str(int(status)): _reply(call, status, by_status[status], schemas) for status in sorted(by_status)
    }


def _reply(call: Call, status: int, errors: Sequence[str], schemas: Schemas) -> Json:
    """Describe a status: what the call answers with it, or the errors that have it, or both (503)."""
    known = codes()
    names = list(dict.fromkeys(error.partition("/")[0] for error in errors))
    descriptions, shapes = [], []
    if status in call.replies:
        model = call.replies[status]
        descriptions.append((model and model.__doc__) or HTTPStatus(status).phrase)
        shapes += [schemas.reference(model, ANSWERED)] if model else []
    if names:
        descriptions.append("\n".join(f"- `{name}`: {known[name].when}" for name in names))
    for shape in dict.fromkeys(known[name].shape for name in names):
        own = [name for name in names if known[name].shape is shape]
        shapes.append({"allOf": [schemas.reference(shape, ANSWERED)], "properties": {"code": {"enum": own}}})
    content: Json = {"schema": shapes[0] if len(shapes) == 1 else {"anyOf": shapes}}
    if errors:
        content["examples"] = {
            " ".join(error.split("/")): {
                "value": example_of(error).body.model_dump(mode="json", exclude_unset=True)
            }
            for error in errors
        }
    return {
        "description": "\n\n".join(descriptions),
        "headers": _headers(call, status, errors),
        **({"content": {"application/json": content}} if shapes else {}),
    }


def _headers(call: Call, status: int, errors: Sequence[str]) -> Json:
    names = ["X-Request-Id", *(["Location"] if status == HTTPStatus.CREATED else [])]
    if call.scope and status not in _TO_STRANGERS:
        names += ["RateLimit-Policy", "RateLimit"]
    if status in _AFTER_A_COMMIT:
        names += [_ANSWERED_BY[name] for name in call.headers if name in _ANSWERED_BY]
    headers: Json = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    sent = [example_of(error).headers.keys() for error in errors]
    for name in dict.fromkeys(name for each in sent for name in each if name in HEADERS):
        always = status not in call.replies and all(name in each for each in sent)
        headers[name] = (
            {**HEADERS[name], "required": True}
            if always
            else headers.get(name, {"$ref": f"#/components/headers/{name}"})
        )
    return headers
