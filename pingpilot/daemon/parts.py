"""The parts of the daemon: each channel that has its settings, made from its record, with its dispatcher."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from pingpilot.channels import CHANNELS, ChannelKind, load, name_of_lane
from pingpilot.clock import Clock
from pingpilot.cluster.leading import StepAside
from pingpilot.cluster.mandate import Mandate
from pingpilot.cluster.membership import Membership
from pingpilot.config import ChannelSettings, Settings
from pingpilot.daemon.identity import Identity
from pingpilot.daemon.supervision import supervise
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.delivery.claiming import Claimer
from pingpilot.delivery.dispatcher import Dispatcher
from pingpilot.delivery.journal import Journal
from pingpilot.delivery.pacing import Pacer
from pingpilot.delivery.parts import ChannelParts, Receiver, Surroundings
from pingpilot.delivery.queue import taking_over
from pingpilot.delivery.settlement import Settlements
from pingpilot.events.intake import Intake
from pingpilot.storage.watch import DatabaseWatch
from pingpilot.telemetry.health import Health, State
from pingpilot.telemetry.metrics import Metrics

_WAY_LOOKED_AT_EVERY = 0.5  # seconds
_GIVES_UP_AFTER = timedelta(seconds=3)  # less than a leader trusts itself for
_SILENT_FOR = 3.0  # seconds without any answer, until a platform is asked whether it can be reached
_REACHED_WITHIN = 2.0  # seconds
_CLOSED_WITHIN = 0.3  # seconds
_ASKED_AGAIN_AFTER = 10.0  # seconds: its bot may be away for hours


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

    async def reach(self) -> None:
        """Return where the platform can be reached, or nobody knows how to ask it; raises anything else."""
        own = await self.loaded()
        if own.reach:
            await own.reach()

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
    """A channel's bot (or the channel, where there is none), the dispatcher that delivers through it, and the
    right by which this daemon does.

    `name` is what it goes by among the daemons: see `name_of_lane`.
    """

    name: str
    dispatcher: Dispatcher
    channel: LateChannel
    mandate: Mandate
    health: Health
    clock: Clock
    has_others: Callable[[], bool]

    async def run(self) -> None:
        """Serve whenever this daemon may, for ever."""
        await self.mandate.run(self._start, self._end_term)

    async def _end_term(self, patience: float) -> None:
        """Let what is being sent end, and keep nothing open: until this daemon leads again, a connection may
        be dead, and a message that goes out by it fails.
        """
        await self.dispatcher.end_term(patience)
        with suppress(Exception):  # whatever a library may raise of a connection that breaks
            async with asyncio.timeout(_CLOSED_WITHIN):
                await self.channel.close()

    def _start(self) -> list[asyncio.Task[None]]:
        supervised = supervise(self.channel, self.health, clock=self.clock)
        tasks = [
            asyncio.create_task(supervised, name=f"supervise {self.channel.name}"),
            asyncio.create_task(self.dispatcher.run(), name=f"dispatch {self.channel.name}"),
        ]
        if self.mandate.is_exclusive:
            way = asyncio.create_task(self._mind_the_way(), name=f"mind the way to {self.channel.name}")
            tasks.append(way)
        return tasks

    async def _mind_the_way(self) -> None:
        """Step aside where this daemon alone may send and does not reach the platform: another one may.

        One that is slow, or answers with errors, is reached.
        """
        while True:
            await self.clock.sleep(_WAY_LOOKED_AT_EVERY)
            is_away = self.health.state_of(self.channel.name) is State.RETRYING
            silent_for = self.dispatcher.platform_silent_for
            if not self.has_others() or (silent_for < _SILENT_FOR and not is_away):
                continue
            try:
                async with asyncio.timeout(_REACHED_WITHIN):
                    await self.channel.reach()
            except Exception as exc:  # whatever a library may raise
                reason = f"It does not reach the platform ({type(exc).__name__})."
                raise StepAside(reason) from exc
            self.dispatcher.platform_was_heard_of()
            await self.clock.sleep(_ASKED_AGAIN_AFTER)


def build_parts(
    settings: Settings,
    around: Surroundings,
    *,
    lanes: Mapping[str, int],
    on_incoming: Callable[[str], None],
    identity: Identity,
    intake: Intake,
    membership: Membership,
    settlements: Settlements,
    database: DatabaseWatch,
    metrics: Metrics,
) -> list[Part]:
    """Return each channel that has its settings, once for each of its bots; the others are reported as off,
    and why. `lanes` are the bots', by name; `on_incoming` is told the part for which something was posted.
    """
    parts = []
    claimer = Claimer()
    journal = Journal(gives_way=lambda: intake.is_busy)
    turn = asyncio.Lock()
    for name, own_settings in settings.channels.items():
        if own_settings.missing:
            around.health.report(name, State.OFF, f"Set {own_settings.missing} to switch it on.")
            continue
        kind, several = CHANNELS[name], len(own_settings.bots) > 1
        for own in own_settings.bots:
            lane = lanes.get(own.bot or "", 0)
            health = around.health.of_bot(name, own.bot) if several and own.bot else around.health
            mandate = membership.mandate(
                own.bot,
                take_over=partial(taking_over, name, around.clock, lane=lane),
                on_change=partial(_show_standby, health, name),
            )
            pacer = Pacer(
                overall=kind.pace,
                per_recipient=kind.recipient_pace,
                per_room=kind.room_pace,
                room_window=kind.room_window,
                clock=around.clock,
            )
            part = name_of_lane(name, lane)
            own_around = replace(
                around,
                health=health,
                lane=lane,
                may_act=mandate.may_act,
                gives_up_after=_GIVES_UP_AFTER if mandate.is_exclusive else None,
                on_incoming=partial(on_incoming, part),
                place=pacer.place,
            )
            channel = LateChannel(kind, own, own_around, turn=turn)
            dispatcher = Dispatcher(
                channel,
                lane=lane,
                shown_as=own.bot if several else None,
                mandate=mandate,
                claimer=claimer,
                journal=journal,
                predecessors=identity.predecessors,
                pacer=pacer,
                settlements=settlements,
                health=health,
                database=database,
                metrics=metrics,
                clock=around.clock,
            )
            parts.append(
                Part(
                    part,
                    dispatcher,
                    channel,
                    mandate,
                    health,
                    around.clock,
                    lambda: membership.has_others,
                )
            )
    return parts


def _show_standby(health: Health, name: str, leads: bool) -> None:
    """Show that a channel waits while another daemon leads its bot; what it does else, it says itself."""
    if not leads:
        health.can_send(name)  # what kept it from sending is the leader's to say
        health.report(name, State.STANDBY, "Another daemon leads this bot.")
