"""The parts of the daemon: each channel that has its settings, made from its record, with its dispatcher."""

from dataclasses import dataclass

from pingpilot.channels import CHANNELS, load
from pingpilot.config import Settings
from pingpilot.daemon.identity import Identity
from pingpilot.delivery.claiming import Claimer
from pingpilot.delivery.dispatcher import Dispatcher
from pingpilot.delivery.journal import Journal
from pingpilot.delivery.pacing import Pacer
from pingpilot.delivery.parts import ChannelParts, Surroundings
from pingpilot.delivery.settlement import Settlements
from pingpilot.storage.watch import DatabaseWatch
from pingpilot.telemetry.health import State
from pingpilot.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Part:
    """A channel's own parts and the dispatcher that delivers through it."""

    dispatcher: Dispatcher
    own: ChannelParts


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
    for name, own_settings in settings.channels.items():
        if own_settings.missing:
            around.health.report(name, State.OFF, f"Set {own_settings.missing} to switch it on.")
            continue
        kind = CHANNELS[name]
        own: ChannelParts = load(kind.part)(own_settings, around)
        dispatcher = Dispatcher(
            own.channel,
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
        parts[name] = Part(dispatcher, own)
    return parts
