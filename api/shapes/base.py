"""What the shapes share: camelCase names, names of channels and categories, and times."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.alias_generators import to_camel

from api.replies import time_text
from api.shapes.validation import fault
from pingpilot.accounts.categories import NAME_PATTERN
from pingpilot.channels import CHANNELS


def _category(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(NAME_PATTERN, value):
        raise fault("must be the name of a category: 1 to 64 of a-z, 0-9 and '-'.")
    return value


CategoryName = Annotated[
    str, PlainValidator(_category), WithJsonSchema({"type": "string", "pattern": f"^{NAME_PATTERN}$"})
]
Count = Annotated[int, Field(ge=0)]
ChannelName = Annotated[str, Field(json_schema_extra={"enum": [*CHANNELS]})]

Time = Annotated[
    datetime,
    PlainSerializer(time_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Shape(BaseModel):
    """Base of the JSON objects that the API answers with."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=True,
    )

    def as_json(self) -> dict[str, Any]:
        """Return the object as the reply carries it."""
        return self.model_dump()
