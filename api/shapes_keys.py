"""What the calls about API keys take and answer, as pydantic models."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import (
    AfterValidator,
    AliasGenerator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from api.replies import time_text
from models import ApiKey, KeyScope
from pingpilot.categories import NAME_PATTERN
from pingpilot.keys import KEY_PREFIX, LONGEST_NAME, KeyRights, is_key_name
from pingpilot.rotation import LONGEST_OVERLAP, USUAL_OVERLAP

MOST_CATEGORIES = 100


def _fault(message: str) -> PydanticCustomError:
    return PydanticCustomError("fault", "{message}", {"message": message})


def _worded(message: str) -> WrapValidator:
    """Let one sentence of ours stand for every fault of a member."""

    def check(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError:
            raise _fault(message) from None

    return WrapValidator(check)


def _key_name(text: str) -> str:
    if not is_key_name(text):
        raise ValueError
    return text


_SECONDS = int(LONGEST_OVERLAP.total_seconds())
KeyName = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_NAME, examples=["web server"]),
    AfterValidator(_key_name),
    _worded(f"must be 1 to {LONGEST_NAME} printable characters, such as 'web server'."),
]
Scope = Annotated[KeyScope, _worded("must be 'send' or 'manage'.")]
CategoryNames = Annotated[
    list[Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]] | None,
    Field(min_length=1, max_length=MOST_CATEGORIES),
    _worded(f"must be a list of 1 to {MOST_CATEGORIES} names of categories; leave it out for all."),
]
OverlapSeconds = Annotated[
    int,
    Field(strict=True, ge=0, le=_SECONDS),
    _worded(f"must be a whole number of seconds, from 0 (revoke the old key at once) to {_SECONDS:,}."),
]
Instant = Annotated[
    datetime, PlainSerializer(time_text), WithJsonSchema({"type": "string", "format": "date-time"})
]


class NewKeyBody(BaseModel):
    """The body of `POST /api/v1/keys`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: KeyName
    scope: Scope = KeyScope.SEND
    categories: CategoryNames = None

    @field_validator("categories")
    @classmethod
    def _only_where_they_say_something(
        cls, names: list[str] | None, info: ValidationInfo
    ) -> list[str] | None:
        if names is not None and info.data.get("scope") == KeyScope.MANAGE:
            raise _fault("must be left out with scope 'manage': only a key of scope 'send' is kept to some.")
        return names

    @property
    def rights(self) -> KeyRights:
        return KeyRights(self.scope, self.categories)


class RotationBody(BaseModel):
    """The body of `POST /api/v1/keys/{id}/rotate`: how long the old key is accepted beside the new one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    overlap_seconds: OverlapSeconds = Field(
        default=int(USUAL_OVERLAP.total_seconds()), alias="overlapSeconds"
    )

    @property
    def overlap(self) -> timedelta:
        return timedelta(seconds=self.overlap_seconds)


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=AliasGenerator(serialization_alias=to_camel))


class ShownKey(_Reply):
    """A key in force, without the key itself. `current`: the request was made with it.

    `expiresAt` is set once the key was rotated: it is refused from then on.
    """

    id: int
    name: str
    prefix: str
    scope: KeyScope
    categories: list[str] | None
    created_at: Instant
    last_used_at: Instant | None
    expires_at: Instant | None
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


class KeyList(_Reply):
    """The keys in force, oldest first."""

    keys: list[ShownKey]


class CreatedKey(ShownKey):
    """A fresh key; `key` is shown this once."""

    message: str
    key: str


class RotatedKey(CreatedKey):
    """The key that took over, shown this once, and the one it replaces."""

    replaces: ShownKey


class RevokedKey(_Reply):
    """A key that is refused from now on."""

    message: str
    id: int
    current: bool
