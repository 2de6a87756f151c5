"""The document as a whole, and each call as one of its operations, with what goes in."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from inspect import cleandoc

from pydantic.alias_generators import to_camel

from api.calls import Call
from api.openapi import replies
from api.openapi.schemas import SENT, Json, Schemas
from api.shapes.events import EVENT_ID, EVENT_ID_PATTERN
from pingpilot import __version__
from pingpilot.accounts.categories import NAME_PATTERN
from pingpilot.channels import CHANNELS

_ABOUT = """
POST an event, and PingPilot stores it durably and brings it to your Discord DM, your Telegram chat and
your mailbox. Every error is `{"message": "<what to do>", "code": "<stable code>"}`; its status and the
code are listed with each call. Times are ISO 8601 in UTC.
"""
_KEY = """
An API key, `pp_…`, as `pingpilot key create` makes it. A key's scope tells what it may do: `send` posts
events and nothing else, `manage` may do everything. Each call names the scope it needs.
"""
_KEY_SCHEMES = ("apiKey", "apiKeyHeader", "basic")
_REQUEST_HEADERS: Mapping[str, Json] = {
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
_REFERENCE = re.compile('"#/components/([^"]+)"')
_PART_OF_PATH = re.compile(r"{(\w+)[^{}]*}")  # with a pattern of the route's own, which is left out


def build(calls: Sequence[Call]) -> Json:
    """Return the OpenAPI 3.1 document of the calls."""
    schemas = Schemas(calls)
    paths: Json = {}
    names: Counter[str] = Counter()
    for call in calls:
        name = to_camel(call.handler.__name__)
        names[name] += 1
        operation_id = name if names[name] == 1 else f"{name}{names[name]}"  # one handler, several paths
        operations = paths.setdefault(shown_path(call.path), {})
        operations[call.method.lower()] = {"operationId": operation_id, **_operation(call, schemas)}
    document = {
        "openapi": "3.1.1",
        "info": {
            "title": "PingPilot",
            "version": __version__,
            "description": cleandoc(_ABOUT),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "."}],  # wherever the document came from, also below a proxy's path
        "tags": [{"name": tag} for tag in dict.fromkeys(call.tag for call in calls)],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "parameters": {
                name: {"name": name, "in": "header", **each} for name, each in _REQUEST_HEADERS.items()
            },
            "headers": {name: dict(header) for name, header in replies.HEADERS.items()},
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": cleandoc(_KEY)},
                "apiKeyHeader": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "The same key, for senders that can't send a bearer token.",
                },
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The same key as the password; the user name may be anything.",
                },
            },
        },
    }
    return _without_unused(document)


def _without_unused(document: Json) -> Json:
    """Leave out components that nothing refers to: the shapes of queries, whose members are parameters."""
    components = document["components"]
    kept, found = set[str](), set(_REFERENCE.findall(json.dumps(document["paths"])))
    while found:
        kept |= found
        named = [components[kind].get(name) for kind, name in (each.split("/") for each in found)]
        found = set(_REFERENCE.findall(json.dumps(named))) - kept
    for kind in ("schemas", "headers", "parameters"):
        components[kind] = {name: each for name, each in components[kind].items() if f"{kind}/{name}" in kept}
    return document


def shown_path(route: str) -> str:
    """Return a route's path as OpenAPI writes it, its names in camelCase."""
    return _PART_OF_PATH.sub(lambda part: f"{{{to_camel(part[1])}}}", route)


def _operation(call: Call, schemas: Schemas) -> Json:
    scope = f"\n\nNeeds a key of scope `{call.scope}`." if call.scope else ""
    body: Json = {}
    if call.body:
        content = {"application/json": {"schema": schemas.reference(call.body, SENT)}}
        body = {"requestBody": {"required": call.body_required, "content": content}}
    return {
        "tags": [call.tag],
        "summary": call.summary,
        "description": cleandoc(call.handler.__doc__ or "") + scope,
        "security": [{name: [call.scope.value]} for name in _KEY_SCHEMES] if call.scope else [],
        "parameters": [*_parameters(call, schemas)],
        **body,
        "responses": replies.replies(call, schemas),
    }


def _parameters(call: Call, schemas: Schemas) -> Iterator[Json]:
    parts: Mapping[str, Json] = {
        "event_id": {"schema": {"type": "string", "pattern": EVENT_ID_PATTERN}, "example": EVENT_ID},
        "name": {"schema": {"type": "string", "pattern": f"^{NAME_PATTERN}$"}, "example": "sale"},
        "channel": {
            "schema": {
                "type": "string",
                "enum": [name for name, kind in CHANNELS.items() if kind.needs_link],
            }
        },
        "key_id": {"schema": {"type": "integer", "minimum": 1}},
    }
    any_text: Json = {"schema": {"type": "string", "minLength": 1}}
    for name in _PART_OF_PATH.findall(call.path):
        yield {"name": to_camel(name), "in": "path", "required": True, **parts.get(name, any_text)}
    for name, schema, required in schemas.properties(call.query) if call.query else ():
        bare = {key: value for key, value in schema.items() if key != "description"}
        described = {"description": schema["description"]} if "description" in schema else {}
        yield {"name": name, "in": "query", "required": required, "schema": bare, **described}
    for header in (*call.headers, "X-Request-Id"):
        yield {"$ref": f"#/components/parameters/{header}"}
