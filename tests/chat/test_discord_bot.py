"""The Discord bot: what it registers, where and how it answers."""

import re

import pytest
import structlog

from bots.commands import CRASHED, MENU
from models import Fact
from pingpilot.accounts.linking import DISCORD_INSTALL
from pingpilot.sandbox.discord.payloads import Where
from pingpilot.sandbox.faults import Fault

from .bots import OnDiscord, as_read

OUTDATED = (
    "Discord showed you an old list of my commands: this one has changed or is gone.\n"
    "Restart Discord to get the new list. /help shows what there is."
)
REFUSAL = Fault.error(400, "Invalid Form Body", code=50035)


async def test_every_command_is_registered_with_what_it_takes(on_discord: OnDiscord) -> None:
    registered = {command["name"]: command for command in on_discord.stand_in.commands}

    options = {name: command.get("options") or [] for name, command in registered.items()}
    [code, where], [email, where_too] = options.pop("link"), options.pop("unlink")
    [time] = options.pop("mute")
    assert {name: command["description"] for name, command in registered.items()} == {
        command.name: command.description for command in MENU
    }
    assert (code["name"], code["type"], code["required"]) == ("code", 3, True)
    assert (email["name"], email["type"], email["required"]) == ("email", 3, False)
    assert code["description"] == "The one-time code, or an API key of the account"
    for option in (where, where_too):
        assert (option["name"], option["type"], option["required"]) == ("where", 3, False)
        assert [each["name"] for each in option["choices"]] == ["My direct messages", "This channel"]
    assert (time["name"], time["type"], time["required"]) == ("time", 3, True)
    assert options == {name: [] for name in ("categories", "quota", "failed", "dashboard", "unmute", "help")}


async def test_commands_are_there_for_servers_users_and_every_kind_of_chat(on_discord: OnDiscord) -> None:
    install = await Fact.read(DISCORD_INSTALL)
    assert install is not None
    assert re.fullmatch(r"https://discord\.com/oauth2/authorize\?client_id=[0-9]+", install)
    for command in on_discord.stand_in.commands:
        assert sorted(command["integration_types"]) == [0, 1]
        assert sorted(command["contexts"]) == [0, 1, 2]


@pytest.mark.parametrize("where", ["dm", "guild", "private"])
@pytest.mark.parametrize("command", ["/help", "/quota", "/categories", "/unlink", "/link AAAAAAAA"])
async def test_answers_are_for_the_asker_alone_wherever_they_ask(
    on_discord: OnDiscord, where: Where, command: str
) -> None:
    reply = await on_discord.stand_in.command(on_discord.user, command, where=where)

    assert (reply.ephemeral, reply.deferred) == (True, True)
    assert reply.content


async def test_an_answer_that_discord_does_not_take_is_replaced(on_discord: OnDiscord) -> None:
    on_discord.stand_in.faults.add(REFUSAL, route="messages/@original")

    with structlog.testing.capture_logs() as log:
        reply = await on_discord.stand_in.command(on_discord.user, "/help")
    again = await on_discord.ask("/help")

    assert as_read(reply.content) == CRASHED.lines[0][0]
    assert reply.ephemeral
    assert [each["event"] for each in log] == ["A reply on Discord failed"]
    assert again.startswith("I bring you notifications")


async def test_a_command_that_could_not_be_deferred_is_answered(on_discord: OnDiscord) -> None:
    on_discord.stand_in.faults.add(REFUSAL, route="callback")

    reply = await on_discord.stand_in.command(on_discord.user, "/help")

    assert as_read(reply.content) == CRASHED.lines[0][0]
    assert (reply.ephemeral, reply.deferred) == (True, False)


async def test_a_command_that_is_gone_is_answered_with_what_to_do(on_discord: OnDiscord) -> None:
    on_discord.stand_in.commands.append({"name": "status", "description": "Of an earlier version"})

    with structlog.testing.capture_logs() as log:
        reply = await on_discord.ask("/status")

    assert reply == OUTDATED
    assert [(each["event"], each["log_level"]) for each in log] == [
        ("Somebody used a slash command of an earlier version", "info")
    ]


async def test_a_command_that_has_changed_is_answered_with_what_to_do(on_discord: OnDiscord) -> None:
    mute = next(each for each in on_discord.stand_in.commands if each["name"] == "mute")
    mute["options"][0]["name"] = "duration"

    reply = await on_discord.ask("/mute 2h")

    assert reply == OUTDATED
    assert (await on_discord.ask("/help")).startswith("I bring you notifications")


async def test_a_conversation_that_cannot_be_opened_links_nothing(on_discord: OnDiscord) -> None:
    on_discord.stand_in.faults.add(Fault.status(503), route="users/@me/channels")

    with structlog.testing.capture_logs() as log:
        reply = await on_discord.ask("/link AAAAAAAA")
    again = await on_discord.ask("/link AAAAAAAA")

    assert reply == CRASHED.lines[0][0]
    assert [each["event"] for each in log] == ["A bot command crashed"]
    assert "not right" in again
