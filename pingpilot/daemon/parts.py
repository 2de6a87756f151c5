"""The parts of the daemon: each channel that has its settings, made from its record, with its dispatcher."""

import asyncio
from dataclasses import dataclass

from pingpilot.channels import CHANNELS, ChannelKind, load
from pingpilot.config import ChannelSettings, Settings
from pingpilot.daemon.identity import Identity
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.delivery.claiming import Claimer
from pingpilot.delivery.dispatcher import Dispatcher
from pingpilot.delivery.journal import Journal
from pingpilot.delivery.pacing import Pacer
from pingpilot.delivery.parts import ChannelParts, Receiver, Surroundings
from pingpilot.delivery.settlement import Settlements
from pingpilot.storage.watch import DatabaseWatch
from pingpilot.telemetry.health import State
from pingpilot.telemetry.metrics import Metrics


class LateChannel:
    """A channel and its component, made in the background while the API is up already: to load the
    platforms' libraries is a third of a start.

    Whoever sends or runs meanwhile waits for that. They are loaded in `turn`, one after another, by a single
    thread: several would not be done sooner, and each keeps memory of its own.
    """

    def __init__(
        self, kind: ChannelKind, settings: ChannelSettings, around: Surroundings, *, turn: asyncio.Lock
    ) -> None:
        self.name = kind.name
        self._kind = kind
        self._settings = settings
        self._around = around
        self._turn = turn
        self._own: ChannelParts | None = None

    async def loaded(self) -> ChannelParts:
        """Return what the channel's folder makes of it."""
        async with self._turn:
            if self._own is None:
                build = await asyncio.to_thread(load, self._kind.part)
                self._own = build(self._settings, self._around)
        return self._own

    async def send(self, recipient: Recipient, notification: Notification) -> None:
        """Send one message. Raises the failures of `Channel.send`."""
        own = self._own or await self.loaded()
        await own.channel.send(recipient, notification)

    async def run(self) -> None:
        """Serve as `Component.run` does."""
        await (await self.loaded()).component.run()

    async def receiver(self) -> Receiver | None:
        """Return what takes the platform's posts, where the channel is set up for that."""
        return (await self.loaded()).receiver

    def wake(self) -> None:
        """Tell the component that something its platform posted waits."""
        if self._own:
            self._own.wake()

    async def close(self) -> None:
        """Close the connections, if there are any."""
        if self._own:
            await self._own.close()


@dataclass(frozen=True, slots=True)
class Part:
    """A channel and the dispatcher that delivers through it."""

    dispatcher: Dispatcher
    channel: LateChannel


def build_parts(
    settings: Settings,
    around: Surroundings,
    *,
    identity: Identity,
    settlements: Settlements,
    database: DatabaseWatch,
    metrics: Metrics,
) -> dict[str, Part]:
    """Return each channel that has its settings, by name; the others are reported as off, and why."""
    parts = {}
    claimer, journal = Claimer(daemon_id=identity.name), Journal(daemon_id=identity.name)
    turn = asyncio.Lock()
    for name, own_settings in settings.channels.items():
        if own_settings.missing:
            around.health.report(name, State.OFF, f"Set {own_settings.missing} to switch it on.")
            continue
        kind = CHANNELS[name]
        channel = LateChannel(kind, own_settings, around, turn=turn)
        dispatcher = Dispatcher(
            channel,
            claimer=claimer,
            journal=journal,
            predecessors=identity.predecessors,
            pacer=Pacer(
                overall=kind.pace,
                per_recipient=kind.recipient_pace,
                per_room=kind.room_pace,
                clock=around.clock,
            ),
            settlements=settlements,
            health=around.health,
            database=database,
            metrics=metrics,
            clock=around.clock,
        )
        parts[name] = Part(dispatcher, channel)
    return parts
