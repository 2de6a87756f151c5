"""Says in words what the JSON Schemas of the OpenAPI document hold."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]
_LIMITS = {
    "pattern": "matches {}",
    "minLength": "{} characters at least",
    "maxLength": "{} characters at most",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxItems": "{} items at most",
    "maxProperties": "{} names at most",
    "default": "by default {}",
}
_PIPE = re.compile(r"(`[^`]*`)|\|")
"""What would end a table's cell, which it does not within code."""
_READABLE_PATTERN = 40
"""Characters up to which a pattern tells people something."""
_NESTED = 4
"""How deep members of members are listed."""
_NAMES = {"string": "text", "integer": "whole number", "boolean": "true or false"}
_SAMPLES = {
    "address": "al…@example.com",
    "category": "sale",
    "description": "Somebody bought a lamp",
    "destination": "discord",
    "email": "alice@example.com",
    "from": "22:00",
    "key": "pp_…",
    "name": "default",
    "prefix": "pp_2Nq4xw",
    "timeZone": "Europe/Berlin",
    "until": "07:00",
}
"""What a text of this name looks like, where its schema has no example."""


class Schemas:
    """The schemas of one document, and what they refer to."""

    def __init__(self, components: Json) -> None:
        self._components = components

    def resolved(self, given: Json) -> Json:
        """Return what is referred to, with what stands beside the reference."""
        if "$ref" not in given:
            return given
        _, _, kind, name = given["$ref"].split("/")
        return {**self._components[kind][name], **{key: each for key, each in given.items() if key != "$ref"}}

    def table(self, schema: Json) -> Iterator[str]:
        """Yield a table of all members in Markdown."""
        yield "| member | type | |\n|---|---|---|"
        for name, required, each in self._members(schema):
            about = self.about(each, each.get("description", ""))
            yield f"| `{name}` | {self._type(each)}{', required' if required else ''} | {about} |"

    def about(self, schema: Json, description: str) -> str:
        """Say what something is and which values it takes, in one cell of a table."""
        schema = self.resolved(_not_null(schema))
        parts = [" ".join(description.split()).rstrip(".")] if description else []
        values = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
        if values:
            parts.append("one of " + ", ".join(f"`{each}`" for each in values if each is not None))
        for key, words in _LIMITS.items():
            value = schema.get(key)
            if value in (None, "", [], False) or (key == "pattern" and len(value) > _READABLE_PATTERN):
                continue
            if isinstance(value, int) and not isinstance(value, bool):
                parts.append(words.format(f"{value:,}"))
            else:
                parts.append(words.format(f"`{json.dumps(value) if key == 'default' else value}`"))
        return _PIPE.sub(lambda found: found[1] or "\\|", "; ".join(parts))

    def example(self, schema: Json, name: str = "") -> Any:
        """Return a value of the schema: its example, None where it may be null, else one of its parts."""
        given = self.resolved(schema)
        schema = self.resolved(_not_null(given))
        if schema.get("examples"):
            return schema["examples"][0]
        if schema is not given or "null" in schema.get("type", ()):
            return None
        values = [schema[key] for key in ("const", "default") if schema.get(key) is not None]
        values += schema.get("enum", [])
        return values[0] if values else self._made(schema, name)

    def _made(self, schema: Json, name: str) -> Any:
        """Return an example of a schema that gives none; `name` tells what a text looks like."""
        kind = schema.get("type", "object")
        if kind == "array":
            return [self.example(schema["items"])]
        if kind == "object":
            members = schema.get("properties", {})
            return {each: self.example(value, each) for each, value in members.items()}
        if schema.get("format") == "date-time":
            return "2026-11-26T12:00:00.000Z"
        number = max(1, schema.get("minimum", 1))
        return {"boolean": True, "integer": number, "number": number}.get(kind, _SAMPLES.get(name, "…"))

    def _members(self, schema: Json, within: str = "", depth: int = 0) -> Iterator[tuple[str, bool, Json]]:
        """Yield each member by its way, `deliveries[].status`, and whether it has to be there."""
        schema = self.resolved(schema)
        for name, given in schema.get("properties", {}).items():
            yield f"{within}{name}", name in schema.get("required", ()) and not within, given
            each, inside = self.resolved(_not_null(given)), f"{within}{name}."
            if each.get("type") == "array":
                each, inside = self.resolved(_not_null(each.get("items", {}))), f"{within}{name}[]."
            if depth < _NESTED:
                yield from self._members(each, inside, depth + 1)

    def _type(self, schema: Json) -> str:
        if "anyOf" in schema:
            return " or ".join(dict.fromkeys(self._type(each) for each in schema["anyOf"]))
        schema = self.resolved(schema)
        if "const" in schema or "enum" in schema:
            return "text"
        if schema.get("type") == "array":
            return f"list of {self._type(schema.get('items', {}))}"
        if schema.get("format") == "date-time":
            return "time"
        types = schema.get("type", "object")
        listed: list[str] = types if isinstance(types, list) else [types]
        return " or ".join(_NAMES.get(each, each) for each in listed)


def _not_null(schema: Json) -> Json:
    """Return what a schema says of values other than null."""
    if "anyOf" not in schema:
        return schema
    others = [each for each in schema["anyOf"] if each.get("type") != "null"]
    return (
        {**others[0], **{key: each for key, each in schema.items() if key != "anyOf"}} if others else schema
    )
