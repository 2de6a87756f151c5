"""No secret in any log, at the level that says most."""

import subprocess
import sys

import pytest

from pingpilot.sandbox.faults import Fault
from tests.support.daemon import Daemon
from tests.support.platforms import (
    ADA,
    DISCORD_TOKEN,
    GRACE,
    SMTP_PASSWORD,
    TELEGRAM_TOKEN,
    Platforms,
)
from tests.support.waiting import comes_true

SECRETS = ["the-password", "pp_" + "k" * 43, TELEGRAM_TOKEN]
LIBRARY = """
import logging, sys
import structlog
from pingpilot.telemetry.logs import configure_logging

_, log_format, password, key, token = sys.argv
configure_logging(level="DEBUG", format_=log_format, secrets=[password])
for secret in (password, key, f"https://api.telegram.org/bot{token}/sendMessage"):
    logging.getLogger("httpx").warning(f"in a message {secret}")
    logging.getLogger("anything").debug("in an argument %s of %r", secret, {"a": secret})
    structlog.get_logger("ours").info("by name", url=secret, nested={"list": [secret]}, error=OSError(secret))
    try:
        raise RuntimeError(secret)
    except RuntimeError:
        logging.getLogger("anything").exception("in a traceback")
"""
EVENT = {"category": "bug", "description": "The lamp does not light"}


async def test_no_secret_is_logged_while_all_goes_well_and_while_platforms_fail(
    daemon: Daemon, platforms: Platforms
) -> None:
    daemon.settings |= {"PINGPILOT_LOG_LEVEL": "DEBUG"}
    await daemon.start()
    key = await daemon.create_account()
    code = await use_a_link_code(daemon, platforms)
    await platforms.link(key)
    await daemon.post(key, EVENT, prefer="wait=10")
    await daemon.post(key[:-1] + "x", EVENT, x_request_id=key)

    break_sends(platforms)
    await daemon.post(key, EVENT)
    await comes_true(lambda: is_tried_again(daemon, 3), "three failed sends")
    await daemon.stop()

    assert "Delivery delivered" in daemon.log
    for secret in (DISCORD_TOKEN, TELEGRAM_TOKEN, SMTP_PASSWORD, key, key[:-1], code):
        assert secret not in daemon.log


async def test_no_secret_is_logged_when_the_platforms_refuse_it(daemon: Daemon) -> None:
    wrong = ["an-old-token-of-the-discord-bot", "7000000042:an-old-token-of-the-telegram", "an-old-password"]
    names = ["PINGPILOT_DISCORD_TOKEN", "PINGPILOT_TELEGRAM_TOKEN", "PINGPILOT_SMTP_PASSWORD"]
    daemon.settings |= dict(zip(names, wrong, strict=True))
    daemon.settings |= {"PINGPILOT_LOG_LEVEL": "DEBUG", "PINGPILOT_LOG_FORMAT": "json"}

    await daemon.start()
    for part in ("discord", "telegram", "email"):
        await daemon.wait_for_part(part, "paused")
    await daemon.stop()

    assert "telegram is paused" in daemon.log
    for secret in wrong:
        assert secret not in daemon.log


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_whatever_a_library_logs_secrets_are_hidden_in_it(log_format: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIBRARY, log_format, *SECRETS], capture_output=True, text=True, check=True
    )

    for secret in SECRETS:
        assert secret not in ran.stderr
    assert ran.stderr.count("[hidden]") >= 5 * len(SECRETS)
    assert "RuntimeError" in ran.stderr


async def use_a_link_code(daemon: Daemon, platforms: Platforms) -> str:
    ended = await daemon.command("link-code", "--account", "alice@example.com", "--json")
    code = str(ended.json["code"])
    await platforms.discord.wait_connected()
    await platforms.telegram.wait_polling()
    await platforms.discord.command(ADA, f"/link {code}")
    await platforms.telegram.say(GRACE, f"/link {code}")  # used already: refused
    return code


def break_sends(platforms: Platforms) -> None:
    platforms.discord.faults.add(Fault.drop(), route="messages", times=None)
    platforms.telegram.faults.add(Fault.drop(), route="sendMessage", times=None)
    platforms.mail.faults.add(Fault.drop("rcpt"), times=None)


async def is_tried_again(daemon: Daemon, times: int) -> bool:
    return daemon.log.count("Delivery pending") >= times
