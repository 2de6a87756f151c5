"""The bots that a daemon has tokens of, and those that no daemon has any more."""

import random
from collections.abc import Callable

from models import Bot
from models.backends.errors import IntegrityConflict
from pingpilot.clock import Clock
from pingpilot.config import Settings
from pingpilot.errors import DatabaseUnavailable
from pingpilot.events.former_bots import look_after_former_bots, welcome_back
from pingpilot.storage.watch import DatabaseWatch

_LOOKED_AT_EVERY = 60.0  # seconds
_LED_FOR = 10.0  # seconds at most for which a bot counts as led whose daemon was killed


async def register_bots(settings: Settings) -> dict[str, int]:
    """Return the lane of each bot that the settings have a token of, by its name; what was linked with it can
    be used from now on. Raises `DatabaseUnavailable`.
    """
    lanes: dict[str, int] = {}
    for channel, names in _bots_of(settings).items():
        lanes |= await Bot.register(channel, names)
        await welcome_back(channel)
    return lanes


async def mind_former_bots(
    settings: Settings, *, clock: Clock, database: DatabaseWatch, on_deliveries: Callable[[set[str]], None]
) -> None:
    """Suspend what was linked with bots that no daemon has a token of any more, for ever."""
    while True:
        wait = _LOOKED_AT_EVERY
        try:
            for channel, names in _bots_of(settings).items():
                if await Bot.has_others(channel, names):
                    await Bot.register(channel, names)  # another daemon may have led one until now
                    wait = _LED_FOR
                if woken := await look_after_former_bots(channel, clock.now()):
                    on_deliveries(woken)
        except (DatabaseUnavailable, IntegrityConflict) as exc:
            database.failed(exc, "Former bots could not be looked after")
        await clock.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311  # spreads load


def _bots_of(settings: Settings) -> dict[str, list[str]]:
    """Return the names of the bots of each channel that has any."""
    names = {
        channel: [each.bot for each in own.bots if each.bot] for channel, own in settings.channels.items()
    }
    return {channel: own for channel, own in names.items() if own}
