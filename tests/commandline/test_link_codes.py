"""`pingpilot link-code`."""

import asyncio
import re
from datetime import UTC, datetime

import pytest

from models import Fact
from models.database import open_database
from pingpilot.accounts.linking import TELEGRAM_USERNAME

from .conftest import Pingpilot


@pytest.fixture
def bot_has_run(sqlite_url: str) -> None:
    """The daemon has met its Telegram bot before, and knows the bot's name."""

    async def keep() -> None:
        async with open_database(sqlite_url):
            await Fact.keep(TELEGRAM_USERNAME, "pingpilot_bot")

    asyncio.run(keep())


def test_a_code_is_shown_with_what_to_do(pingpilot: Pingpilot, alice: str) -> None:
    made = pingpilot("link-code", "--account", alice)

    found = re.match(r"Code: ([2-9A-Z]{8})  \(once, until \d\d:\d\d UTC\)\n", made.out)
    assert found
    assert f"Send `/link {found[1]}` to the Discord or Telegram bot." in made.out
    assert "https://" not in made.out


def test_json_of_a_code_has_code_expiry_and_no_link_while_no_bot_ran(
    pingpilot: Pingpilot, alice: str
) -> None:
    made = pingpilot("link-code", "--account", alice, "--json")

    assert made.json.keys() == {"code", "expiresAt", "telegramUrl"}
    assert re.fullmatch(r"[2-9A-Z]{8}", made.json["code"])
    assert made.json["expiresAt"].endswith("Z")
    assert datetime.fromisoformat(made.json["expiresAt"]) > datetime.now(UTC)
    assert made.json["telegramUrl"] is None


@pytest.mark.parametrize(
    ("tokens", "bots"),
    [
        (("DISCORD",), "Discord"),
        (("TELEGRAM",), "Telegram"),
        (("DISCORD", "TELEGRAM"), "Discord or Telegram"),
    ],
)
def test_the_bots_that_are_set_up_are_named(
    pingpilot: Pingpilot,
    alice: str,
    monkeypatch: pytest.MonkeyPatch,
    tokens: tuple[str, ...],
    bots: str,
) -> None:
    without = pingpilot("link-code", "--account", alice)
    for name in tokens:
        monkeypatch.setenv(f"PINGPILOT_{name}_TOKEN", "1:a-token")

    made = pingpilot("link-code", "--account", alice)

    assert made.out.endswith(f" to the {bots} bot.\n")
    assert made.err == ""
    assert (
        "no bot that could take it: set PINGPILOT_DISCORD_TOKEN or PINGPILOT_TELEGRAM_TOKEN." in without.err
    )


@pytest.mark.usefixtures("bot_has_run")
def test_once_the_bot_ran_a_link_and_a_qr_code_open_it(pingpilot: Pingpilot, alice: str) -> None:
    as_json = pingpilot("link-code", "--account", alice, "--json").json
    as_text = pingpilot("link-code", "--account", alice).out

    assert as_json["telegramUrl"] == f"https://t.me/pingpilot_bot?start={as_json['code']}"
    assert "https://t.me/pingpilot_bot?start=" in as_text
    assert any(block in as_text for block in "▀▄█")


def test_every_code_is_another(pingpilot: Pingpilot, alice: str) -> None:
    codes = [pingpilot("link-code", "--account", alice, "--json").json["code"] for _ in range(5)]

    assert len(set(codes)) == 5
