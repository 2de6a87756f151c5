"""Whether the process lives, and whether it can accept events."""

from typing import Literal

from pydantic import Field

from api.shapes.base import Shape


class Alive(Shape):
    """The process answers."""

    status: Literal["ok"]


class Readiness(Shape):
    """Whether events can be accepted, and how each part stands."""

    status: Literal["ready", "stopping", "unavailable"]
    parts: dict[str, str] = Field(examples=[{"database": "up", "discord": "connecting"}])
    reasons: dict[str, str] = Field(description="Why a part is not well, where it is not.")
