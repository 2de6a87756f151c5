"""Rooms over restarts: what was linked goes on, and what became of a room meanwhile is made up for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, a_daemon
from tests.support.platforms import GRACE, Platforms
from tests.support.waiting import eventually

SALE = {"category": "sale", "description": "Somebody bought a lamp"}


@pytest.fixture
async def daemon(platforms: Platforms, database_url: str, tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon on each kind of database."""
    async with a_daemon(platforms.settings, database_url=database_url, folder=tmp_path) as made:
        yield made


async def test_rooms_and_codes_outlive_the_daemon_and_what_it_missed_is_made_up_for(
    daemon: Daemon, platforms: Platforms
) -> None:
    rooms = platforms.telegram.rooms
    key = await daemon.create_account("alice@example.com", channels=["email"])
    forum = rooms.open("Team", by=GRACE, forum=True)
    topic = rooms.open_topic(forum, "Deploys")
    group, lost = (rooms.open(title, by=GRACE, kind="group") for title in ("Ops", "Old"))
    await daemon.start()
    await platforms.telegram.wait_polling()
    for room, name in ((group, "ops"), (lost, "old")):
        await rooms.write(room, f"/link {await code_for(daemon, name)}", by=GRACE)
    code = await code_for(daemon, "deploys")
    await daemon.kill()

    rooms.upgrade(group, by=GRACE)
    rooms.set_bot(lost, "kicked", by=GRACE)
    await daemon.start()
    await rooms.write(forum, f"/link {code}", by=GRACE, topic=topic, timeout=30)
    await eventually(
        lambda: standing(daemon), {"deploys": None, "ops": None, "old": "The bot was removed from the group."}
    )
    await daemon.stop()
    await daemon.start()
    answer = await daemon.post(key, SALE, prefer="wait=25")

    arrived = {(each.chat_id, each.topic) for each in platforms.telegram.messages if "lamp" in each.text}
    assert {each["destination"]: each["status"] for each in answer.body["deliveries"]} == {
        "email": "delivered",
        "ops": "delivered",
        "deploys": "delivered",
    }
    assert arrived == {(group.id, None), (forum.id, topic)}
    assert (key in daemon.log, code in daemon.log) == (False, False)


async def code_for(daemon: Daemon, name: str) -> str:
    ended = await daemon.command("link-code", "--account", "alice@example.com", "--room", name, "--json")
    return str(ended.json["code"])


async def standing(daemon: Daemon) -> dict[str, str | None]:
    """Return why each room is suspended, None where it is not."""
    ended = await daemon.command("destination", "list", "--account", "alice@example.com", "--json")
    return {each["name"]: each["suspendedReason"] for each in ended.json if each["kind"] != "direct"}
