"""Keeping a part of the daemon running while its platform comes and goes."""

import random

import structlog

from pingpilot.clock import Clock
from pingpilot.delivery.parts import Component
from pingpilot.errors import Misconfigured
from pingpilot.telemetry.health import Health, State

FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 60.0
"""Seconds between tries: doubling from the first to the longest, with jitter."""
MISCONFIGURED_PAUSE = 60.0
"""Seconds until what needs a person is tried again, should the person have acted on the platform's side."""
_STEADY = 60.0  # seconds a connection must have held for the back-off to start anew

log = structlog.get_logger(__name__)


async def supervise(component: Component, health: Health, *, clock: Clock) -> None:
    """Run the component for ever, whatever it raises; its failures harm nobody else."""
    backoff = FIRST_BACKOFF
    while True:
        started = clock.monotonic()
        health.report(component.name, State.CONNECTING)
        wait = await _run_once(component, health, backoff)
        backoff = (
            FIRST_BACKOFF if clock.monotonic() - started > _STEADY else min(backoff * 2, LONGEST_BACKOFF)
        )
        await clock.sleep(wait)


async def _run_once(component: Component, health: Health, backoff: float) -> float:
    """Return the seconds to wait before the next run."""
    try:
        await component.run()
    except Misconfigured as exc:
        health.report(component.name, State.PAUSED, str(exc))
        return MISCONFIGURED_PAUSE
    except Exception as exc:
        log.debug("A component failed", component=component.name, exc_info=True)
        health.report(component.name, State.RETRYING, f"{type(exc).__name__}: {exc}")
    else:
        health.report(component.name, State.RETRYING, "The connection ended.")
    return backoff * random.uniform(0.8, 1.2)  # noqa: S311  # spreads load, guards nothing
