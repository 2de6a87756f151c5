"""What goes in beside the body: parts of the path, the query and headers."""

import re
from collections.abc import Iterator, Mapping

from pydantic.alias_generators import to_camel

from api.calls import Call
from api.openapi.schemas import Json, Schemas
from api.shapes.events import EVENT_ID, EVENT_ID_PATTERN
from pingpilot.accounts.categories import NAME_PATTERN
from pingpilot.channels import CHANNELS

_NAMED = re.compile(r"{(\w+)[^{}]*}")  # a part of a route, whose own pattern is left out
_ANY_TEXT: Json = {"type": "string", "minLength": 1}
_IN_PATH: Mapping[str, Json] = {
    "event_id": {"type": "string", "pattern": EVENT_ID_PATTERN, "example": EVENT_ID},
    "name": {"type": "string", "pattern": f"^{NAME_PATTERN}$", "example": "sale"},
    "channel": {"type": "string", "enum": [name for name, kind in CHANNELS.items() if kind.needs_link]},
    "key_id": {"type": "integer", "minimum": 1},
}
_HEADERS: Mapping[str, Json] = {
    "Idempotency-Key": {
        "description": "An id of your own: sending again within 24 hours answers the first event and "
        "sends nothing twice.",
        "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
    },
    "Prefer": {
        "description": "`wait=N` waits up to N seconds, 30 at most, for the deliveries and tells how they "
        "went; anything else is ignored (RFC 7240).",
        "schema": {"type": "string"},
        "examples": {"wait": {"value": "wait=2"}},
    },
    "X-Request-Id": {
        "description": "An id of your own for this request, 1 to 64 of letters, digits, `.`, `_` and `-`; "
        "any other is replaced.",
        "schema": {"type": "string"},
    },
}


def shown_path(route: str) -> str:
    """Return a route's path as OpenAPI writes it, its names in camelCase."""
    return _NAMED.sub(lambda part: f"{{{to_camel(part[1])}}}", route)


def parameters(call: Call, schemas: Schemas) -> list[Json]:
    """Return the call's parameters."""
    headers = [{"$ref": f"#/components/parameters/{name}"} for name in (*call.headers, "X-Request-Id")]
    return [*_path(call.path), *_query(call, schemas), *headers]


def components() -> Json:
    """Return the headers that calls refer to."""
    return {name: {"name": name, "in": "header", **each} for name, each in _HEADERS.items()}


def _path(route: str) -> Iterator[Json]:
    for name in _NAMED.findall(route):
        schema = dict(_IN_PATH.get(name, _ANY_TEXT))
        example = {"example": schema.pop("example")} if "example" in schema else {}
        yield {"name": to_camel(name), "in": "path", "required": True, "schema": schema, **example}


def _query(call: Call, schemas: Schemas) -> Iterator[Json]:
    if call.query is None:
        return
    for name, schema, required in schemas.properties(call.query):
        bare = {key: value for key, value in schema.items() if key != "description"}
        described = {"description": schema["description"]} if "description" in schema else {}
        yield {"name": name, "in": "query", "required": required, "schema": bare, **described}
