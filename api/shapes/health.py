"""Whether the process lives, and whether it can accept events."""

from typing import Literal

from pydantic import Field

from api.shapes.base import Shape, Time


class Alive(Shape):
    """The process answers."""

    status: Literal["ok"]


class RunningDaemon(Shape):
    """A daemon of the database, without a word of the machine it runs on: anybody may ask."""

    id: str = Field(examples=["0b5f1c8e9d2a4f37"], description="Another one at each start.")
    version: str
    started_at: Time
    seen_at: Time = Field(description="When it last said so.")
    alive: bool = Field(description="Whether that was within the last 15 seconds.")
    answering: bool = Field(description="Whether it is the one that answers.")


class BotLeader(Shape):
    """A bot, and the daemon that alone sends by its token and listens to its people."""

    bot: str = Field(examples=["telegram:7000000042"])
    daemon: str | None = Field(description="The leader's `id`; null while nobody leads the bot.")
    since: Time | None = Field(description="Since when that is so; null where nobody has led it yet.")


class Readiness(Shape):
    """Whether events can be accepted, and how each part stands."""

    status: Literal["ready", "stopping", "unavailable"]
    parts: dict[str, str] = Field(examples=[{"database": "up", "discord": "connecting"}])
    reasons: dict[str, str] = Field(description="Why a part is not well, where it is not.")
    daemons: list[RunningDaemon] | None = Field(description="Null while the database does not say it.")
    leaders: list[BotLeader] | None = Field(description="Empty on SQLite, where there is one daemon.")
