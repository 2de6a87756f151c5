"""SIGKILL at any moment loses nothing that was accepted."""

import os
import random
from pathlib import Path

from pingpilot.channels import CHANNELS, DISCORD
from tests.support.kills import post_among_kills

EVENTS, KILLS = 300, 5


async def test_every_accepted_event_survives_kills_and_only_sends_cut_off_are_repeated(
    database_url: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("KILLS_SEED") or random.randrange(2**32))
    print(f"KILLS_SEED={seed}")  # noqa: T201  # to run the same again

    report = await post_among_kills(
        database_url=database_url, folder=tmp_path, events=EVENTS, kills=KILLS, seed=seed
    )

    assert len(report.accepted) == EVENTS
    assert report.stored == dict.fromkeys(report.accepted, 1)
    for channel in CHANNELS:
        assert report.lost(channel) == set()
        assert report.doubled(channel) <= report.interrupted[channel]
    assert not report.doubled(DISCORD.name)  # its nonce tells a message that is sent again
