"""What the shapes share: camelCase names, names of channels and categories, and times."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from api.replies import time_text
from api.shapes.validation import always_saying
from pingpilot.accounts.categories import NAME_PATTERN
from pingpilot.channels import CHANNELS

CategoryName = Annotated[
    str,
    Field(pattern=f"^{NAME_PATTERN}$"),
    always_saying("must be the name of a category: 1 to 64 of a-z, 0-9 and '-'."),
]
Count = Annotated[int, Field(ge=0)]
# The channels there are when the document is made
ChannelName = Annotated[str, Field(json_schema_extra=lambda schema: schema.update(enum=[*CHANNELS]))]
Time = Annotated[
    datetime,
    PlainSerializer(time_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Shape(BaseModel):
    """Base of the JSON objects that the API answers with; what has a default is left out unless it is set."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=True,
    )
