"""The buttons of `/failed` on Discord: after a restart, in servers, where an answer is refused."""

import pytest
import structlog

from bots.discord.markup import view_of
from bots.replies import Action, Reply
from models import Account
from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.discord.payloads import Where
from pingpilot.sandbox.faults import Fault
from tests.support.failures import failed_deliveries
from tests.support.waiting import until

from .bots import Bots, OnDiscord
from .test_answers import CRASHED
from .test_linking_a_chat import linked
from .test_retry_buttons import NOTHING_FAILED, RETRIED


async def test_discords_buttons_outlive_the_bot(
    bots: Bots, mailed: Account, discord_stand_in: DiscordStandIn
) -> None:
    person = OnDiscord(discord_stand_in)
    async with bots.supervised(bots.discord(discord_stand_in)):
        await linked(mailed, person, bots)
        await failed_deliveries(mailed, bots.clock, "bug", "sale")
        await person.ask("/failed")
    await until(lambda: discord_stand_in.connections == 0)

    async with bots.supervised(bots.discord(discord_stand_in)):
        await discord_stand_in.wait_connected()
        first = await person.press("Retry 1")
        second = await person.press("Retry 1")

    assert first.splitlines()[0] == RETRIED
    assert second.splitlines() == ["🔁 Trying again: bug on E-mail.", NOTHING_FAILED]


@pytest.mark.parametrize("where", ["dm", "guild", "private"])
async def test_on_discord_nobody_else_sees_the_list(
    on_discord: OnDiscord, mailed: Account, bots: Bots, where: Where
) -> None:
    stand_in = on_discord.stand_in
    await linked(mailed, on_discord, bots)
    await failed_deliveries(mailed, bots.clock, "sale")

    listed = await stand_in.command(on_discord.user, "/failed", where=where)
    shown = await stand_in.press(on_discord.user, on_discord.buttons["Retry 1"], where=where)

    assert (listed.ephemeral, listed.deferred) == (True, True)
    assert (shown.ephemeral, shown.deferred, shown.updated) == (True, True, True)


async def test_on_discord_a_text_is_neither_link_nor_mention(
    on_discord: OnDiscord, mailed: Account, bots: Bots
) -> None:
    await linked(mailed, on_discord, bots)
    await failed_deliveries(mailed, bots.clock, "sale", description="https://evil.example <@1> @everyone")

    reply = await on_discord.stand_in.command(on_discord.user, "/failed")

    assert "https\\://evil.example \\<@1> \\@everyone" in reply.content


async def test_on_discord_an_answer_to_a_press_that_is_not_taken_is_replaced(
    on_discord: OnDiscord, mailed: Account, bots: Bots
) -> None:
    await linked(mailed, on_discord, bots)
    await failed_deliveries(mailed, bots.clock, "sale")
    await on_discord.ask("/failed")
    refusal = Fault.error(400, "Invalid Form Body", code=50035)
    on_discord.stand_in.faults.add(refusal, route="messages/@original")

    with structlog.testing.capture_logs() as log:
        crashed = await on_discord.press("Retry 1")
    again = await on_discord.press("Retry 1")

    assert crashed == CRASHED
    assert [each["event"] for each in log] == ["A reply on Discord failed"]
    assert again.startswith("Already on its way")


async def test_discord_py_keeps_no_buttons_in_memory() -> None:
    view = view_of(Reply.of("A list."))
    with_button = view_of(Reply((("A list.",),), (Action("Retry 1", "retry:1"),)))

    assert view is None
    assert with_button is not None
    assert with_button.is_finished()
