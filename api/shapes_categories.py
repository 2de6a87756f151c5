"""The shapes of what is answered about categories."""

from pydantic import Field

from api.shaping import ChannelName, Shape, Time


class ShownCategory(Shape):
    """A kind of event, with its looks and what came in of it."""

    name: str
    color: str = Field(description="`#` and six hexadecimal digits.")
    emoji: str | None
    urgent: bool = Field(description="Whether its events pass quiet hours.")
    channels: list[ChannelName] | None = Field(
        description="Where its events go; null: all that are switched on."
    )
    fallback: ChannelName | None = Field(description="The channel used where one of them fails for good.")
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
