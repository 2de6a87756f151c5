"""What the calls about API keys take and answer, as pydantic models."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from api.shapes.base import Shape, Time
from api.shapes.validation import always_saying, invalid
from models import ApiKey, KeyScope
from models.api_key import LONGEST_OVERLAP
from pingpilot.accounts.categories import NAME_PATTERN as CATEGORY_PATTERN
from pingpilot.accounts.keys import (
    KEY_PREFIX,
    LONGEST_NAME,
    NAME_PATTERN,
    USUAL_OVERLAP,
    KeyRights,
)

MOST_CATEGORIES = 100


def _whole_number(value: object) -> object:
    """Return the value if it is a number: 60.0 is one in JSON Schema, true and "60" are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid("must be a number.")
    return value


_SECONDS = int(LONGEST_OVERLAP.total_seconds())
KeyName = Annotated[
    str,
    Field(pattern=f"^{NAME_PATTERN}$", examples=["web server"]),
    always_saying(f"must be 1 to {LONGEST_NAME} printable characters, such as 'web server'."),
]
Scope = Annotated[KeyScope, always_saying("must be 'send' or 'manage'.")]
CategoryNames = Annotated[
    list[Annotated[str, Field(pattern=f"^{CATEGORY_PATTERN}$")]] | None,
    Field(min_length=1, max_length=MOST_CATEGORIES),
    always_saying(f"must be a list of 1 to {MOST_CATEGORIES} names of categories; leave it out for all."),
]
OverlapSeconds = Annotated[
    int,
    Field(ge=0, le=_SECONDS),
    BeforeValidator(_whole_number),
    always_saying(f"must be a whole number of seconds, from 0 (revoke the old key at once) to {_SECONDS:,}."),
]

_KEPT_MANAGER: dict[str, Any] = {  # JSON Schema of what `_only_where_they_say_something` refuses
    "properties": {"scope": {"const": KeyScope.MANAGE.value}, "categories": {"type": "array", "items": {}}},
    "required": ["scope", "categories"],
}


class NewKeyBody(BaseModel):
    """The body of `POST /api/v1/keys`."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"not": _KEPT_MANAGER, "examples": [{"name": "web server", "scope": "send"}]},
    )

    name: KeyName
    scope: Scope = Field(default=KeyScope.MANAGE, description="With `categories`, `send` is the default.")
    categories: CategoryNames = None

    @model_validator(mode="before")
    @classmethod
    def _categories_mean_sending(cls, body: Any) -> Any:
        if isinstance(body, dict) and body.get("categories") is not None and "scope" not in body:
            return {**body, "scope": KeyScope.SEND}
        return body

    @field_validator("categories")
    @classmethod
    def _only_where_they_say_something(
        cls, names: list[str] | None, info: ValidationInfo
    ) -> list[str] | None:
        if names is not None and info.data.get("scope") == KeyScope.MANAGE:
            raise invalid("must be left out with scope 'manage': only a key of scope 'send' is kept to some.")
        return names

    @property
    def rights(self) -> KeyRights:
        return KeyRights(self.scope, self.categories)


class RotationBody(BaseModel):
    """The body of `POST /api/v1/keys/{id}/rotate`: how long the old key is accepted beside the new one."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"overlapSeconds": 3600}]}
    )

    overlap_seconds: OverlapSeconds = Field(
        default=int(USUAL_OVERLAP.total_seconds()), alias="overlapSeconds"
    )

    @property
    def overlap(self) -> timedelta:
        return timedelta(seconds=self.overlap_seconds)


class ShownKey(Shape):
    """A key in force, without the key itself. `current`: the request was made with it.

    `expiresAt` is set once the key was rotated: it is refused from then on.
    """

    id: int
    name: str
    prefix: str
    scope: KeyScope
    categories: list[str] | None
    created_at: Time
    last_used_at: Time | None
    expires_at: Time | None
    current: bool

    @classmethod
    def of(cls, row: ApiKey, *, current: bool = False) -> "ShownKey":
        names = row.category_names
        return cls(
            id=row.id,
            name=row.name,
            prefix=f"{KEY_PREFIX}{row.prefix}",
            scope=KeyScope(row.scope),
            categories=None if names is None else list(names),
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
            current=current,
        )


class KeyList(Shape):
    """The keys in force, oldest first."""

    keys: list[ShownKey]


class CreatedKey(ShownKey):
    """A fresh key; `key` is shown this once."""

    message: str
    key: str


class RotatedKey(CreatedKey):
    """The key that took over, shown this once, and the one it replaces."""

    replaces: ShownKey


class RevokedKey(Shape):
    """A key that is refused from now on."""

    message: str
    id: int
    current: bool
