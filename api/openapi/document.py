"""The document as a whole, and each call as one of its operations."""

from collections import Counter
from collections.abc import Sequence
from inspect import cleandoc

from pydantic.alias_generators import to_camel

from api.calls import Call
from api.openapi import parameters, replies
from api.openapi.schemas import SENT, Json, Schemas
from pingpilot import __version__

_ABOUT = """
POST an event, and PingPilot stores it durably and brings it to your Discord DM, your Telegram chat and
your mailbox. Every error is `{"message": "<what to do>", "code": "<stable code>"}`; its status and the
code are listed with each call. Times are ISO 8601 in UTC.
"""
_KEY = """
An API key, `pp_…`, as `pingpilot key create` makes it. A key's scope tells what it may do: `send` posts
events and nothing else, `manage` may do everything. Each call names the scope it needs.
"""


def build(calls: Sequence[Call]) -> Json:
    """Return the OpenAPI 3.1 document of the calls."""
    schemas = Schemas(calls)
    return {
        "openapi": "3.1.1",
        "info": {"title": "PingPilot", "version": __version__, "description": cleandoc(_ABOUT)},
        "servers": [{"url": "./"}],  # wherever the document came from, also below a proxy's path
        "tags": [{"name": tag} for tag in dict.fromkeys(call.tag for call in calls)],
        "paths": _paths(calls, schemas),
        "components": {
            "schemas": schemas.components,
            "parameters": parameters.components(),
            "headers": replies.components(),
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": cleandoc(_KEY)},
            },
        },
    }


def _paths(calls: Sequence[Call], schemas: Schemas) -> Json:
    paths: Json = {}
    names: Counter[str] = Counter()
    for call in calls:
        name = to_camel(call.handler.__name__)
        names[name] += 1
        operation_id = name if names[name] == 1 else f"{name}{names[name]}"  # one handler, several paths
        operations = paths.setdefault(parameters.shown_path(call.path), {})
        operations[call.method.lower()] = {"operationId": operation_id, **_operation(call, schemas)}
    return paths


def _operation(call: Call, schemas: Schemas) -> Json:
    return {
        "tags": [call.tag],
        "summary": call.summary,
        "description": _description(call),
        "security": [{"apiKey": [call.scope.value]}] if call.scope else [],
        "parameters": parameters.parameters(call, schemas),
        **_body(call, schemas),
        "responses": replies.replies(call, schemas),
    }


def _description(call: Call) -> str:
    scope = f"\n\nNeeds a key of scope `{call.scope}`." if call.scope else ""
    return cleandoc(call.handler.__doc__ or "") + scope


def _body(call: Call, schemas: Schemas) -> Json:
    if call.body is None:
        return {}
    content = {"application/json": {"schema": schemas.reference(call.body, SENT)}}
    return {"requestBody": {"required": True, "content": content}}
