"""The bodies the API takes, as pydantic models."""

import hashlib
import math
import re
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import InitErrorDetails

from api.faults import fault
from api.replies import encoded
from pingpilot.categories import NAME_PATTERN
from pingpilot.delivery.channel import FieldValue

MAX_DESCRIPTION = 4000
MAX_FIELDS = 100
MAX_FIELD_NAME = 256
MAX_FIELD_VALUE = 4096
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL and UTF-8 can't hold them


def _storable(text: str) -> str:
    if _UNSTORABLE.search(text):
        raise fault("must not contain NUL characters or lone surrogates.")
    return text


def _category(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(NAME_PATTERN, value):
        raise fault("must be the name of a category: 1 to 64 of a-z, 0-9 and '-'.")
    return value


def _description(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_DESCRIPTION:
        raise fault(f"must be a text of up to {MAX_DESCRIPTION:,} characters.")
    return _storable(value)


def _field_name(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_FIELD_NAME:
        raise fault(f"its name must have 1 to {MAX_FIELD_NAME} characters.")
    return _storable(value)


def _field_value(value: Any) -> FieldValue:
    if isinstance(value, str):
        if len(value) > MAX_FIELD_VALUE:
            raise fault(f"must have up to {MAX_FIELD_VALUE:,} characters.")
        return _storable(value)
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise fault("must be a text, a finite number, true or false.")


def _few(fields: Any, check: ValidatorFunctionWrapHandler) -> dict[str, FieldValue]:
    """Check the entries and their number, and name the faults of both: pydantic would stop at the entries."""
    if not isinstance(fields, dict) or len(fields) <= MAX_FIELDS:
        return check(fields)  # type: ignore[no-any-return]
    faults = [InitErrorDetails(type=fault(f"must have up to {MAX_FIELDS} entries."), input=None)]
    try:
        check(fields)
    except ValidationError as exc:
        faults += [
            InitErrorDetails(type=fault(error["msg"]), loc=error["loc"], input=None) for error in exc.errors()
        ]
    raise ValidationError.from_exception_data("fields", faults)


_NO_NUL = "^[^\\u0000]*$"  # as JSON Schema; it has no word for lone surrogates
_CATEGORY_SCHEMA = {"type": "string", "pattern": f"^{NAME_PATTERN}$"}
_DESCRIPTION_SCHEMA = {"type": ["string", "null"], "maxLength": MAX_DESCRIPTION, "pattern": _NO_NUL}
_FIELDS_SCHEMA = {
    "type": "object",
    "maxProperties": MAX_FIELDS,
    "propertyNames": {"minLength": 1, "maxLength": MAX_FIELD_NAME, "pattern": _NO_NUL},
    "additionalProperties": {
        "type": ["string", "number", "boolean"],
        "maxLength": MAX_FIELD_VALUE,
        "pattern": _NO_NUL,
    },
}

CategoryName = Annotated[str, PlainValidator(_category), WithJsonSchema(_CATEGORY_SCHEMA)]
Description = Annotated[str, PlainValidator(_description), WithJsonSchema(_DESCRIPTION_SCHEMA)]
FieldName = Annotated[str, PlainValidator(_field_name)]
CheckedValue = Annotated[FieldValue, PlainValidator(_field_value)]
Fields = Annotated[dict[FieldName, CheckedValue], WrapValidator(_few), WithJsonSchema(_FIELDS_SCHEMA)]


class EventBody(BaseModel):
    """What has happened."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: CategoryName = Field(description="One of the account's categories.", examples=["sale"])
    description: Description = Field(
        "",
        description="Absent, null or blank: `A new {category} event has occurred!`",
        examples=["Somebody bought a lamp"],
    )
    fields: Fields = Field(
        default_factory=dict, description="Shown in the order given.", examples=[{"amount": 99.99}]
    )

    @property
    def shown_description(self) -> str:
        """The description, or the customary sentence where none was given."""
        return self.description if self.description.strip() else f"A new {self.category} event has occurred!"

    @property
    def fields_json(self) -> str:
        """The fields as JSON text, in the order given."""
        return encoded(self.fields).decode()

    @property
    def fingerprint(self) -> str:
        """A SHA-256 that is equal for bodies that say the same."""
        said = f"{self.category}\n{self.shown_description}\n{self.fields_json}"
        return hashlib.sha256(said.encode()).hexdigest()
