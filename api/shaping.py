"""What the shapes share: camelCase names, the channels' names, and times as the contract writes them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from api.replies import time_text
from pingpilot.channels import CHANNELS

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
