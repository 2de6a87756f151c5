"""The document says all there is to say, and each part of it holds together."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from api.app import CALLS
from api.calls import Call
from api.openapi.document import build, shown_path
from api.shapes.events import EventBody
from pingpilot.accounts.quiet_hours import time_zones

DOCUMENT = build(CALLS)
OPERATIONS = [
    (path, method, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]


def by_key(node: Any, key: str) -> Iterator[Any]:
    """Yield what stands under the key, anywhere in the node."""
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        for each in node.values():
            yield from by_key(each, key)
    elif isinstance(node, list):
        for each in node:
            yield from by_key(each, key)


def operation_of(call: Call) -> Any:
    return DOCUMENT["paths"][shown_path(call.path)][call.method.lower()]


def is_valid(schema: Any, value: Any) -> bool:
    """Whether the value follows a schema of the document."""
    whole = {**schema, "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True).is_valid(value)


def test_every_call_is_an_operation_and_nothing_else_is() -> None:
    described = {(path, method.upper()) for path, method, _ in OPERATIONS}

    assert described == {(shown_path(call.path), call.method) for call in CALLS}


def test_an_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for _, _, operation in OPERATIONS]

    assert len(names) == len(set(names))
    assert {"postEvent", "getEvent", "retryEvent", "getQuota"} <= set(names)


def test_every_reference_leads_somewhere() -> None:
    for reference in set(by_key(DOCUMENT, "$ref")):
        node = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]

        assert node


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_the_parts_of_a_path_are_described(path: str, method: str, operation: dict[str, Any]) -> None:
    described = [each["name"] for each in operation["parameters"] if each.get("in") == "path"]

    assert described == re.findall(r"{(\w+)}", path)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method}-{call.path}")
def test_a_call_has_words_replies_and_the_scope_it_needs(call: Call) -> None:
    operation = operation_of(call)

    assert operation["summary"]
    assert operation["description"]
    ways = ("apiKey", "apiKeyHeader", "basic")
    assert operation["security"] == ([{way: [call.scope]} for way in ways] if call.scope else [])
    assert {str(status) for status in call.replies} <= operation["responses"].keys()
    assert ("401" in operation["responses"]) is bool(call.scope)


@pytest.mark.parametrize("status", ["401", "429", "503"])
def test_a_refusal_names_the_header_that_helps(status: str) -> None:
    headers = DOCUMENT["paths"]["/api/v1/event"]["post"]["responses"][status]["headers"]

    assert ("WWW-Authenticate" if status == "401" else "Retry-After") in headers


@pytest.mark.parametrize("content", [*by_key(DOCUMENT["paths"], "application/json")])
def test_the_examples_follow_the_schema_they_stand_beside(content: dict[str, Any]) -> None:
    examples = [example["value"] for example in content.get("examples", {}).values()]

    assert all(is_valid(content["schema"], example) for example in examples)


@pytest.mark.parametrize("schema", DOCUMENT["components"]["schemas"].values())
def test_the_examples_of_members_follow_their_schemas(schema: dict[str, Any]) -> None:
    members = schema.get("properties", {}).values()

    assert all(is_valid(member, example) for member in members for example in member.get("examples", []))


@pytest.mark.parametrize("schema", DOCUMENT["components"]["schemas"].values())
def test_a_default_follows_the_schema_it_stands_in(schema: dict[str, Any]) -> None:
    members = schema.get("properties", {}).values()

    assert all(is_valid(member, member["default"]) for member in members if "default" in member)


@pytest.mark.parametrize("name", ["AccountPatch", "ChannelPatch", "CategoryPatch"])
def test_what_is_left_out_of_a_patch_has_no_default(name: str) -> None:
    members = DOCUMENT["components"]["schemas"][name]["properties"].values()

    assert members
    assert not any("default" in member for member in members)


BODIES: list[Any] = [
    {"category": "sale"},
    {"category": "a" * 64},
    {"category": "sale", "description": None},
    {"category": "sale", "description": "x" * 4000, "fields": {}},
    {"category": "sale", "description": "😀" * 4000},
    {"category": "sale", "fields": {"a" * 256: "x" * 4096, "\n": 1, "c": 1.5, "d": False}},
    {"category": "sale", "fields": {str(number): 1 for number in range(100)}},
    {"category": "sale", "fields": None, "title": None, "url": None},
    {"category": "sale", "title": "t" * 200, "url": "HTTPS://[::1]:8/ä?b#c"},
    {"category": "sale", "title": " ", "url": " "},
    {"category": "sale", "title": "t" * 201},
    {"category": "sale", "title": "a\nb"},
    {"category": "sale", "url": "https://x.example/a b"},
    {"category": "sale", "url": "ftp://x.example/"},
    {"category": "sale", "url": "https://x.example/" + "u" * 2000},
    {},
    [],
    {"category": None},
    {"category": "a" * 65},
    {"category": "sale\n"},
    {"category": "Sale"},
    {"category": ""},
    {"category": "sale", "description": "x" * 4001},
    {"category": "sale", "description": "a\0"},
    {"category": "sale", "description": 1},
    {"category": "sale", "fields": {"": 1}},
    {"category": "sale", "fields": {"a" * 257: 1}},
    {"category": "sale", "fields": {"a\0": 1}},
    {"category": "sale", "fields": {"a": "x" * 4097}},
    {"category": "sale", "fields": {"a": "\0"}},
    {"category": "sale", "fields": {"a": None}},
    {"category": "sale", "fields": {"a": []}},
    {"category": "sale", "fields": {str(number): 1 for number in range(101)}},
    {"category": "sale", "more": 1},
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body)[:60])
def test_the_document_takes_the_same_events_as_the_api(body: Any) -> None:
    taken = _is_taken(body)

    assert is_valid({"$ref": "#/components/schemas/EventBody"}, body) is taken
    assert taken is (BODIES.index(body) < 10)


@pytest.mark.parametrize("emoji", ["🐛", "❤️", "👩‍🚀", "🇩🇪", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩🏽‍❤️‍💋‍👨🏿"])
def test_the_document_takes_an_emoji_of_any_kind(emoji: str) -> None:
    assert is_valid(member("CategoryPatch", "emoji"), emoji)


def test_the_document_takes_every_time_zone() -> None:
    assert all(is_valid(member("AccountPatch", "timeZone"), name) for name in time_zones())


def test_no_part_of_the_document_is_longer_than_a_reader_has_patience_for() -> None:
    assert all(len(names) <= 10 for names in by_key(DOCUMENT, "enum"))
    assert all(len(pattern) <= 200 for pattern in by_key(DOCUMENT, "pattern") if isinstance(pattern, str))


def member(schema: str, name: str) -> Any:
    return DOCUMENT["components"]["schemas"][schema]["properties"][name]


def _is_taken(body: Any) -> bool:
    try:
        EventBody.model_validate(body)
    except ValueError:
        return False
    return True
