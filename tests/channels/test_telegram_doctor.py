"""What the doctor says of a Telegram bot: where what people say to it goes, and whether it gets here."""

from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from bots.telegram.doctor import check
from bots.telegram.settings import HTTPS_ALONE, TelegramSettings
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from pingpilot.telemetry.findings import Finding, Level, Visit
from tests.support.daemon import free_port
from tests.support.waiting import until

from .standins import TOKEN

OURS = "https://ping.example.com/incoming/telegram"
IS = "The bot is @pingpilot_bot."
LATEST = "The last error was at 2026-11-27 06:02 UTC:"
WRONG = f"Wrong answer of [token]: {'x' * 174}…"
AGAIN = "If it comes back, another program has this bot's token: give one of the two a bot of its own."


async def finding_on(stand_in: TelegramStandIn, *, webhook: bool, incoming: str = OURS) -> Finding:
    settings = TelegramSettings(token=SecretStr(TOKEN), api_url=stand_in.url, webhook=webhook)
    return await check(settings, Visit(incoming))


@pytest.mark.parametrize(
    ("webhook", "info", "level", "text", "advice"),
    [
        (False, {"url": ""}, "ok", "", None),
        (
            False,
            {"url": f"https://other.example/{TOKEN}"},
            "warning",
            "A webhook is set, to other.example: while it is, polling brings nothing.",
            f"Start the daemon again, which takes it away; or set PINGPILOT_TELEGRAM_WEBHOOK=on. {AGAIN}",
        ),
        (
            True,
            {"url": ""},
            "warning",
            "Telegram posts to nobody: the webhook is not set.",
            "Start the daemon, which sets it.",
        ),
        (
            True,
            {"url": f"https://other.example/{TOKEN}", "last_error_date": 1, "pending_update_count": 3},
            "problem",
            f"Telegram posts to another address, at other.example, and not to {OURS}.",
            f"Start the daemon again, which sets PINGPILOT_PUBLIC_URL's. {AGAIN}",
        ),
        (
            True,
            {"url": "https://[other"},
            "problem",
            f"Telegram posts to another address, at an address that can't be read, and not to {OURS}.",
            f"Start the daemon again, which sets PINGPILOT_PUBLIC_URL's. {AGAIN}",
        ),
        (True, {"url": OURS}, "ok", f"Telegram posts to {OURS}; nothing waits.", None),
        (
            True,
            {"url": OURS, "pending_update_count": 1},
            "ok",
            f"Telegram posts to {OURS}; 1 update waits.",
            None,
        ),
        (
            True,
            {"url": OURS, "last_error_date": 1795759320, "last_error_message": "Connection timed out"},
            "ok",
            f"Telegram posts to {OURS}; nothing waits. {LATEST} “Connection timed out”.",
            None,
        ),
        (
            True,
            {
                "url": OURS,
                "pending_update_count": 2,
                "last_error_date": 1795759320,
                "last_error_message": f"\x1b[31mWrong\u202e answer\nof {TOKEN}: " + "x" * 300,
            },
            "warning",
            f"Telegram does not get through to {OURS}: 2 updates wait. {LATEST} “{WRONG}”.",
            "See that PINGPILOT_PUBLIC_URL leads here from the internet, with a certificate that it trusts.",
        ),
    ],
)
async def test_it_is_told_where_what_people_say_goes(
    telegram_stand_in: TelegramStandIn,
    *,
    webhook: bool,
    info: dict[str, Any],
    level: str,
    text: str,
    advice: str | None,
) -> None:
    telegram_stand_in.faults.add(Fault.status(200, body={"ok": True, "result": info}), route="getWebhookInfo")

    finding = await finding_on(telegram_stand_in, webhook=webhook)

    assert finding == Finding("telegram", Level(level), f"{IS} {text}".rstrip(), advice)


async def test_what_telegram_itself_says_of_a_server_that_is_away_is_told(
    telegram_stand_in: TelegramStandIn,
) -> None:
    ours = f"http://127.0.0.1:{free_port()}/incoming/telegram"
    async with aiohttp.ClientSession() as session:
        set_webhook = f"{telegram_stand_in.url}/bot{TOKEN}/setWebhook"
        async with session.post(set_webhook, json={"url": ours}) as answer:
            assert answer.ok
    with pytest.raises(TimeoutError):
        await telegram_stand_in.say(TelegramUser(5, "eve", "Eve"), "hello", timeout=0.1)
    await until(lambda: telegram_stand_in.webhook.answers[0] > 0)

    finding = await finding_on(telegram_stand_in, webhook=True, incoming=ours)

    assert finding.level is Level.WARNING
    assert f"does not get through to {ours}: 1 update waits." in finding.text
    assert "“Connection refused”" in finding.text


@pytest.mark.parametrize("result", [{}, {"url": OURS, "last_error_date": "soon"}, ["url"], 7])
async def test_an_answer_that_can_not_be_read_is_a_finding(
    telegram_stand_in: TelegramStandIn, result: object
) -> None:
    body = {"ok": True, "result": result}
    telegram_stand_in.faults.add(Fault.status(200, body=body), route="getWebhookInfo")

    finding = await finding_on(telegram_stand_in, webhook=True)

    assert finding.level is Level.PROBLEM
    assert finding.text == "Telegram can't be asked (ValidationError)."


async def test_an_address_that_telegram_can_not_post_to_is_a_problem(
    telegram_stand_in: TelegramStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.telegram.doctor.TELEGRAM_API", telegram_stand_in.url)

    finding = await finding_on(
        telegram_stand_in, webhook=True, incoming="http://localhost:8080/incoming/telegram"
    )

    assert finding == Finding("telegram", Level.PROBLEM, f"{IS} It hears nothing.", HTTPS_ALONE)
