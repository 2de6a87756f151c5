"""What the shapes share: camelCase names, names of channels and categories, and times."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.alias_generators import to_camel

from api.replies import time_text
from api.shapes.validation import always_saying, invalid
from pingpilot.accounts.categories import NAME_PATTERN
from pingpilot.accounts.destinations import NAME_PATTERN as DESTINATION_PATTERN
from pingpilot.channels import CHANNELS, direct_channels


def _category_name(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(NAME_PATTERN, value):
        return value
    meant = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-") if isinstance(value, str) else ""
    hint = f": did you mean '{meant}'?" if re.fullmatch(NAME_PATTERN, meant) else "."
    raise invalid(f"must be the name of a category, 1 to 64 of a-z, 0-9 and '-'{hint}")


CategoryName = Annotated[
    str,
    PlainValidator(_category_name, json_schema_input_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{NAME_PATTERN}$"}),
]
Json = dict[str, Any]
Count = Annotated[int, Field(ge=0)]
# The channels there are when the document is made
ChannelName = Annotated[str, Field(json_schema_extra=lambda schema: schema.update(enum=[*CHANNELS]))]
DirectChannelName = Annotated[
    str, Field(json_schema_extra=lambda schema: schema.update(enum=direct_channels()))
]
DestinationName = Annotated[
    str,
    Field(pattern=f"^{DESTINATION_PATTERN}$", examples=["email"]),
    always_saying("must be the name of a destination, 1 to 32 of a-z, 0-9 and '-', such as ops-room."),
]
Time = Annotated[
    datetime,
    PlainSerializer(time_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def patch_like(*examples: Json) -> Callable[[Json], None]:
    """Return what makes a JSON Schema one of a patch, with these examples.

    The defaults are taken out: what is left out stays as it is.
    """

    def change(schema: Json) -> None:
        for member in schema["properties"].values():
            member.pop("default", None)
        if examples:
            schema["examples"] = [*examples]

    return change


@cache
def example_body(shape: type[BaseModel]) -> str:
    """Return a body that a call with this shape takes, as JSON: the one it publishes, or an empty one."""
    examples = shape.model_json_schema().get("examples") or [{}]
    return json.dumps(examples[0], ensure_ascii=False)


@cache
def members_of(shape: type[BaseModel], *, nested: bool) -> Sequence[str]:
    """Return the names of a shape's members, or of all that its members may have."""
    schema = shape.model_json_schema()
    found = schema.get("$defs", {}).values() if nested else [schema]
    return [name for each in found for name in each.get("properties", {})]


class Shape(BaseModel):
    """Base of the JSON objects that the API answers with; what has a default is left out unless it is set."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        defer_build=True,  # until it is used: all of them together take 20 ms of a start
        extra="forbid",
        frozen=True,
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=True,
    )
