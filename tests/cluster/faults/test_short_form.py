"""The fault program's short form: the leader is killed, then frozen until another one leads.

It plays them over three daemons as `python -m tests.cluster.faults` does, which asks for much more.
"""

import asyncio
import sys

import pytest

from tests.cluster.faults.seen import REPOSITORY
from tests.support.daemon import environment

_ENDS_WITHIN = 150.0  # seconds, on a machine that is busy; some 25 alone


@pytest.mark.timeout(_ENDS_WITHIN + 20)
async def test_nothing_is_lost_or_sent_by_two_when_the_leader_is_killed_or_frozen() -> None:
    asked = ("--short", "--seed", "1", "--within", "60")  # how quickly others take over is not asked here
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.cluster.faults", *asked),
        env=environment({}),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_ENDS_WITHIN):
            told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert process.returncode == 0, told.decode()
