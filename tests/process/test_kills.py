"""The daemon ended at any moment: nothing that was accepted is lost, and what comes twice is explained.

`KILLS=20` ends it so many times instead of twice, `KILLS_SEED` does it at the same moments again.
"""

import os
import random
from pathlib import Path

import pytest

from pingpilot.channels import DISCORD, direct_channels
from tests.support.kills import EVENTS_A_KILL, End, kill, post_among_ends, terminate
from tests.support.report import Report

KILLS = int(os.environ.get("KILLS") or 2)

pytestmark = pytest.mark.timeout(60 + 15 * KILLS)


async def test_every_accepted_event_survives_kills_and_only_sends_cut_off_are_repeated(
    database_url: str, tmp_path: Path
) -> None:
    report = await posted_among(kill, database_url, tmp_path)

    assert_nothing_is_lost(report)
    for channel in direct_channels():
        assert report.doubled(channel) <= report.interrupted[channel]
    assert not report.doubled(DISCORD.name)  # its nonce tells a message that is sent again


async def test_stops_in_order_lose_nothing_and_repeat_nothing(database_url: str, tmp_path: Path) -> None:
    report = await posted_among(terminate, database_url, tmp_path)

    assert_nothing_is_lost(report)
    assert not report.open
    for channel in direct_channels():
        assert not report.doubled(channel)
        assert not report.interrupted[channel]


async def posted_among(end: End, database_url: str, folder: Path) -> Report:
    seed = int(os.environ.get("KILLS_SEED") or random.randrange(2**32))
    print(f"KILLS_SEED={seed}")  # noqa: T201  # to run the same again

    report = await post_among_ends(
        end, database_url=database_url, folder=folder, events=EVENTS_A_KILL * KILLS, times=KILLS, seed=seed
    )

    print(report)  # noqa: T201
    return report


def assert_nothing_is_lost(report: Report) -> None:
    assert len(report.accepted) == EVENTS_A_KILL * KILLS
    assert report.stored == dict.fromkeys(report.accepted, 1)
    for channel in direct_channels():
        assert report.lost(channel) == set()
