"""Logs: no secret in any of them, one line or one JSON object a record."""

import json
import logging
import re

import pytest
import structlog
from telegram.error import TelegramError
from telegram.request import BaseRequest

from pingpilot.accounts.keys import new_key
from pingpilot.telemetry.logs import configure_logging

TOKEN = "7123456789:AAF-abcdefghijklmnopqrstuvwxyz012345"


pytestmark = pytest.mark.usefixtures("fresh_log")


@pytest.mark.parametrize("format_", ["console", "json"])
@pytest.mark.parametrize(
    "secret",
    ["hunter2-of-smtp", f"bot{TOKEN}", new_key(), "postgres://pp:hunter2@db/pingpilot"],
    ids=range(4),
)
def test_secrets_are_hidden_wherever_they_stand(
    capsys: pytest.CaptureFixture[str], format_: str, secret: str
) -> None:
    configure_logging(level="DEBUG", format_=format_, secrets=["hunter2-of-smtp"])
    log = structlog.get_logger("test")

    log.warning(" ".join(["Message with", secret]), reason=f"/{secret}/getMe", items=[secret])
    logging.getLogger("elsewhere").error("by %s", secret)
    log.error("It failed", exc_info=ValueError(secret))

    written = capsys.readouterr().err
    assert written.count("[hidden]") >= 4
    assert "hunter2" not in written
    assert secret not in written


def test_json_records_are_one_object_a_line_with_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="INFO", format_="json", secrets=[])
    structlog.contextvars.bind_contextvars(request_id="req-1")

    structlog.get_logger("test").info("Something happened", event_id="evt_1")
    logging.getLogger("elsewhere").info("From a library")

    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["event"], first["event_id"], first["level"]) == ("Something happened", "evt_1", "info")
    assert first["request_id"] == second["request_id"] == "req-1"
    assert second["logger"] == "elsewhere"


def test_chatty_libraries_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="DEBUG", format_="console", secrets=[])

    logging.getLogger("httpx").info("HTTP Request: POST https://api.telegram.org/bot1:x/getMe")

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("format_", ["console", "json"])
def test_nobodys_words_look_like_a_line_of_ours(capsys: pytest.CaptureFixture[str], format_: str) -> None:
    configure_logging(level="INFO", format_=format_, secrets=[])
    forged = "fine\n2026-11-26T12:00:00Z [error    ] The disk is full\x1b[31m\x9b31m\u202e\u2028"

    structlog.get_logger("test").warning("It failed", reason=forged)
    logging.getLogger("elsewhere").error("by %s", forged)
    structlog.get_logger("test").error("It failed", exc_info=ValueError(forged))

    lines = capsys.readouterr().err.split("\n")
    assert not any(line.startswith("2026-11-26T12:00:00Z [error    ] The disk") for line in lines)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", "".join(lines))
    assert sum("The disk is full" in line for line in lines) == 3


@pytest.mark.parametrize("format_", ["console", "json"])
def test_a_record_is_as_long_as_somebody_reads(capsys: pytest.CaptureFixture[str], format_: str) -> None:
    configure_logging(level="INFO", format_=format_, secrets=["hunter2"])
    long = "begin " + "x" * 5_000_000 + " end"

    structlog.get_logger("test").warning("It failed", reason=long)
    logging.getLogger("elsewhere").error("by %s", long)
    structlog.get_logger("test").error("It failed", exc_info=ValueError(long))

    written = capsys.readouterr().err
    assert len(written) < 20_000
    assert written.count("begin ") == 3
    assert written.count(" end") == 3
    assert written.count("characters left out") == 3


def test_an_answer_that_telegrams_library_cannot_read_is_not_repeated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(level="DEBUG", format_="console", secrets=[])

    with pytest.raises(TelegramError):
        BaseRequest.parse_json_payload(b'{"text": "a lamp", "chat": 4711')
    logging.getLogger("telegram.ext.ExtBot").critical("Error while parsing updates! Received data was %r", {})

    assert capsys.readouterr().err == ""
