"""Categories: the bodies that calls take, and what is answered of them."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, field_validator
from pydantic.json_schema import SkipJsonSchema

from api.shapes.base import CategoryName, DestinationName, Shape, Time, patch_like
from api.shapes.validation import always_saying, invalid
from pingpilot.accounts.categories import COLOR_PATTERN, CategoryChanges, is_one_emoji
from pingpilot.accounts.destinations import MOST_DESTINATIONS
from pingpilot.accounts.destinations import NAME_PATTERN as DESTINATION_PATTERN

SomeDestinations = Annotated[
    list[DestinationName],
    Field(min_length=1, max_length=MOST_DESTINATIONS, json_schema_extra={"uniqueItems": True}),
]
EmojiText = Annotated[
    str,
    Field(
        description="One emoji.",
        min_length=1,
        max_length=16,
        json_schema_extra={"format": "emoji"},
        examples=["🚀"],
    ),
]
Color = Annotated[
    str,
    StringConstraints(pattern=f"^{COLOR_PATTERN}$", to_lower=True),
    Field(examples=["#00b894"]),
    always_saying("must be '#' and six hexadecimal digits, such as '#ff6b6b'."),
]


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(DESTINATION_PATTERN, value) is not None


def _has_twins(names: list[str]) -> bool:
    return len(set(names)) < len(names)


class _Looks(BaseModel):
    """What both calls take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    emoji: EmojiText | None = None
    urgent: StrictBool = False
    channels: SomeDestinations | None = None
    fallback: DestinationName | None = None

    @field_validator("emoji", mode="before")
    @classmethod
    def _is_one_emoji(cls, value: Any) -> Any:
        if value is not None and not (isinstance(value, str) and is_one_emoji(value)):
            raise invalid("must be one emoji, such as 🐛, or null for none.")
        return value

    @field_validator("channels", mode="before")
    @classmethod
    def _are_names(cls, value: Any) -> Any:
        if value is None:
            return None
        names = value if isinstance(value, list) else []
        if not 0 < len(names) <= MOST_DESTINATIONS or not all(map(_is_name, names)) or _has_twins(names):
            raise invalid(
                "must be a list of destinations, such as discord or ops-room, each once, or null for all."
            )
        return value

    @field_validator("fallback", mode="before")
    @classmethod
    def _is_a_name(cls, value: Any) -> Any:
        if value is not None and not _is_name(value):
            raise invalid("must be the name of a destination, such as email or ops-room, or null for none.")
        return value

    @property
    def changes(self) -> CategoryChanges:
        """What was sent of the category's settings."""
        sent: CategoryChanges = {}
        sent.update(self.model_dump(include=self.model_fields_set - {"name"}))  # type: ignore[typeddict-item]
        return sent


class CategoryBody(_Looks):
    """A new category."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "deploy", "color": "#00b894", "emoji": "🚀"}]}
    )

    name: CategoryName = Field(examples=["deploy"])
    color: Color


class CategoryPatch(_Looks):
    """What changes of a category: what is not sent stays as it is, null takes away."""

    model_config = ConfigDict(json_schema_extra=patch_like({"color": "#00b894", "emoji": "🚀"}))

    name: SkipJsonSchema[Any] = Field(default=None, exclude=True)
    color: Color = ""

    @field_validator("name", mode="before")
    @classmethod
    def _is_fixed(cls, _value: Any) -> None:
        """Take the member only to say that it can't change."""
        raise invalid(
            "can't be changed, since events know their category by it: add a category, remove this one."
        )


class ShownCategory(Shape):
    """A kind of event, with its looks and what came in of it."""

    name: str
    color: str = Field(description="`#` and six hexadecimal digits.")
    emoji: str | None
    urgent: bool = Field(description="Whether its events pass quiet hours.")
    channels: list[DestinationName] | None = Field(
        description="The destinations its events go to; null: all that are switched on."
    )
    fallback: DestinationName | None = Field(
        description="The destination used where one of them fails for good."
    )
    events_this_month: int
    last_event_at: Time | None


class ShownCategories(Shape):
    """All categories of the account, by name."""

    categories: list[ShownCategory]


class RemovedCategory(Shape):
    """What becomes of a removed category's events."""

    message: str
    name: str
    events_accepted: int = Field(description="Events that came in under this name so far.")
