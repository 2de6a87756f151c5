"""The intake's batches without HTTP, as fast as PostgreSQL takes them: benchmarks/scaling.py fills it so.

    .venv/bin/python -m benchmarks.primary DATABASE_URL KEY SECONDS

Prints how many events were stored, and in how many seconds.
"""

import asyncio
import sys

from models.database import open_database
from pingpilot.accounts.callers import Authenticator
from pingpilot.accounts.quota import PlanLimits
from pingpilot.clock import SystemClock
from pingpilot.events.submission import Submission
from pingpilot.telemetry.logs import configure_logging
from tests.support.composition import Composition

TOGETHER = 128
"""Events handed in at once, to share a commit."""


async def main(url: str, key: str, seconds: float) -> None:
    """Store events for so long."""
    configure_logging(level="ERROR", format_="console", secrets=())
    loop, clock = asyncio.get_running_loop(), SystemClock()
    async with open_database(url):
        intake = Composition(clock=clock).intake
        caller = await Authenticator(limits=PlanLimits(), clock=clock).caller_of(key)
        if caller is None:
            sys.exit("Nobody has this key.")
        post = Submission(
            caller, "sale", "Somebody bought a lamp", '{"amount":99.99}', numbers=(("amount", 99.99),)
        )
        stored, began = 0, loop.time()
        while loop.time() < began + seconds:
            await asyncio.gather(*(intake.submit(post) for _ in range(TOGETHER)))
            stored += TOGETHER
        print(stored, loop.time() - began)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
