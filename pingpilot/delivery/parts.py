"""What a channel's folder makes for the daemon, and what it is given for that."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from pingpilot.accounts.quota import PlanLimits
from pingpilot.accounts.unsubscribing import Unsubscriber
from pingpilot.clock import Clock
from pingpilot.delivery.channel import Channel
from pingpilot.telemetry.health import Health


class Component(Protocol):
    """A part that connects to a platform and serves until it fails or is cancelled."""

    @property
    def name(self) -> str:
        """The part's name in `/readyz`."""

    async def run(self) -> None:
        """Connect and serve; report `UP` when connected, clean up however it ends.

        Raises `Misconfigured` where only a person can help.
        """


class Receiver(Protocol):
    """Takes what a channel's platform posts to this server, at any of its daemons."""

    async def vouches_for(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request comes from the platform; asked before its body is read."""

    async def receive(self, body: bytes) -> bool:
        """Store what was posted; False where the platform is to send it again, later.

        Raises `InvalidInput` for what is not of the platform's form.
        """


class Place(Protocol):
    """What is entered for a message or request that no delivery stands for, until it is answered.

    Raises `RateLimited` where it has to wait for its room.
    """

    def __call__(self, address: str, /, *, in_room: bool = False) -> AbstractAsyncContextManager[None]: ...


def anywhere(_address: str, /, *, in_room: bool = False) -> AbstractAsyncContextManager[None]:
    """Give a place at once, where there is no pace."""
    return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all channels of a daemon share. `on_deliveries` is told the channels that have something to do;
    `base_url` is where people reach the API and the dashboard. Of several bots, it is the one of this `lane`.
    `may_act` says whether this daemon leads it, and is asked just before each request that carries its token;
    `share` what part of so many connections is this daemon's; `on_incoming` is called when the bot's platform
    has posted something. `place` is entered for each message of the bot that no delivery stands for: they
    share its pace. `gives_up_after` is how long what was written may wait for the network, where another
    daemon may lead.

    Without an `unsubscriber`, e-mails have no link that ends them: their reader may have no account.
    """

    limits: PlanLimits
    clock: Clock
    health: Health
    unsubscriber: Unsubscriber | None
    on_deliveries: Callable[[set[str]], None]
    base_url: str = ""
    lane: int = 0
    may_act: Callable[[], bool] = lambda: True
    gives_up_after: timedelta | None = None
    share: Callable[[int], int] = lambda most: most
    on_incoming: Callable[[], None] = lambda: None
    place: Place = anywhere


@dataclass(frozen=True, slots=True)
class ChannelParts:
    """A channel with what runs beside it: the component that `/readyz` shows, and how it is closed.

    `reach` asks the platform for something small, where one daemon at a time leads; whatever it raises says
    that this one does not reach it. `receiver` takes what the platform posts, `wake` tells the component that
    some of that waits.
    """

    channel: Channel
    component: Component
    close: Callable[[], Awaitable[None]]
    reach: Callable[[], Awaitable[None]] | None = None
    receiver: Receiver | None = None
    wake: Callable[[], None] = lambda: None
