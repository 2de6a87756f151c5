"""`pingpilot run` with leases of a second: `python -m tests.cluster.hasty`."""

import asyncio
import signal
from datetime import timedelta

from models.database import open_database
from pingpilot.cluster.times import Times
from pingpilot.config import load_settings
from pingpilot.daemon.daemon import Daemon
from pingpilot.daemon.identity import new_identity
from pingpilot.telemetry.logs import configure_logging

TIMES = Times(
    lease=timedelta(seconds=2),
    margin=timedelta(seconds=0.5),
    renewed_every=timedelta(seconds=0.5),
    looked_at_every=timedelta(seconds=0.3),
    beats_every=timedelta(seconds=1),
)


async def main() -> None:
    settings, stop = load_settings(), asyncio.Event()
    configure_logging(level=settings.log_level, format_=settings.log_format, secrets=settings.secrets)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with new_identity(settings) as identity:
        async with open_database(settings.database):
            await Daemon(settings, identity=identity, times=TIMES).serve(stop)


if __name__ == "__main__":
    asyncio.run(main())
