"""`pingpilot destination`, and codes for rooms."""

import json
import re

import pytest

from .conftest import Pingpilot

pytestmark = pytest.mark.usefixtures("configured")


def test_the_direct_ones_are_listed(pingpilot: Pingpilot, alice: str) -> None:
    listed = pingpilot("destination", "list", "--account", alice)
    as_json = json.loads(pingpilot("destination", "list", "--account", alice, "--json").out)

    assert re.search(r"^email +E-mail +direct", listed.out, re.MULTILINE)
    assert [each["name"] for each in as_json] == ["discord", "telegram", "email"]


def test_a_code_for_a_room_says_where_to_send_it(pingpilot: Pingpilot, alice: str) -> None:
    made = pingpilot("link-code", "--account", alice, "--room", "ops")

    code = made.out.partition("Code: ")[2][:8]
    assert made.code == 0
    assert (
        f"Send `/link {code}` in the group, topic or channel on Telegram that is to be 'ops', or "
        f"`/link code: {code} where: This channel` in the channel on Discord."
    ) in made.out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["link-code", "--room", "Ops room"], "1 to 32 of a-z"),
        (["link-code", "--room", "telegram"], "is a channel's name"),
        (["destination", "add", "team"], "--email or --url"),
        (["destination", "add", "team", "--email", "nobody"], "not an e-mail address"),
        (["destination", "set", "email"], "Say what is to change"),
        (["destination", "set", "email", "--silently", "--on"], "--quiet 22:00-07:00"),
        (["destination", "set", "email", "--mention", "here"], "Only messages to a room"),
        (["destination", "set", "email", "--quiet", "always"], "22:00-07:00"),
        (["destination", "remove", "email"], "switch it off"),
        (["destination", "test", "telegram"], "Nothing can be sent to 'telegram'"),
        (["destination", "rotate-secret", "email"], "has no secret"),
    ],
)
def test_what_can_not_be_is_one_sentence(
    pingpilot: Pingpilot, alice: str, words: list[str], hint: str
) -> None:
    refused = pingpilot(*words, "--account", alice)

    assert refused.code in (1, 2)
    assert refused.err.startswith("Error: ")
    assert hint in refused.err


@pytest.mark.parametrize("command", ["set", "remove", "test", "rotate-secret"])
def test_one_that_is_not_there_is_told_with_its_neighbours(
    pingpilot: Pingpilot, alice: str, command: str
) -> None:
    more = ["--on"] if command == "set" else []

    refused = pingpilot("destination", command, "emial", "--account", alice, *more)

    assert refused.code == 1
    assert "did you mean 'email'?" in refused.err


def test_one_is_switched_and_quiet(pingpilot: Pingpilot, alice: str) -> None:
    on = pingpilot("destination", "set", "email", "--account", alice, "--on", "--quiet", "22:00-07:00")
    off = pingpilot("destination", "set", "email", "--account", alice, "--off")

    assert f"email: on, {alice}, quiet 22:00-07:00" in on.out
    assert "email: off" in off.out


def test_a_webhook_is_added_with_a_secret_that_is_shown_once(pingpilot: Pingpilot, alice: str) -> None:
    url = "https://hooks.example.com/pingpilot?token=t"

    added = pingpilot("destination", "add", "hook", "--account", alice, "--url", url)
    listed = pingpilot("destination", "list", "--account", alice)
    rotated = pingpilot("destination", "rotate-secret", "hook", "--account", alice)
    exported = pingpilot("account", "export", alice)
    removed = pingpilot("destination", "remove", "hook", "--account", alice)

    first, second = (re.search(r"whsec_\S+", each.out) for each in (added, rotated))
    assert first
    assert second
    assert first[0] != second[0]
    assert re.search(r"^hook +Webhook +webhook +on, https://hooks\.example\.com", listed.out, re.MULTILINE)
    assert url in exported.out
    assert "whsec_" not in listed.out + exported.out
    assert removed.out == "The destination 'hook' is removed.\n"


def test_who_removes_one_is_told_the_command_for_the_categories_that_name_it(
    pingpilot: Pingpilot, alice: str
) -> None:
    pingpilot("destination", "add", "hook", "--account", alice, "--url", "https://hooks.example.com/")
    pingpilot("category", "set", "bug", "--account", alice, "--channels", "hook")

    removed = pingpilot("destination", "remove", "hook", "--account", alice)

    told = re.search("`pingpilot (.*)`", removed.out)
    assert told
    assert pingpilot(*told[1].replace("…", "email").split()).code == 0


def test_a_direct_one_can_not_be_removed(pingpilot: Pingpilot, alice: str) -> None:
    email, telegram = (
        pingpilot("destination", "remove", name, "--account", alice) for name in ("email", "telegram")
    )

    assert email.err == "Error: E-mail itself can't be removed: switch it off.\n"
    assert telegram.err == (
        "Error: Telegram itself can't be removed: switch it off, or unlink its chat with /unlink.\n"
    )


@pytest.mark.parametrize("url", ["http://hooks.example.com", "https://127.0.0.1/", "https://localhost/", "x"])
def test_a_webhook_leads_to_no_inner_address(pingpilot: Pingpilot, alice: str, url: str) -> None:
    refused = pingpilot("destination", "add", "hook", "--account", alice, "--url", url)

    assert refused.code == 2
    assert refused.err.startswith("Error: ")


def test_what_the_operator_allows_is_an_address(
    pingpilot: Pingpilot, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINGPILOT_WEBHOOK_ALLOW", "127.0.0.0/8")

    added = pingpilot("destination", "add", "hook", "--account", alice, "--url", "http://127.0.0.1:9/hook")

    assert "Secret: whsec_" in added.out
