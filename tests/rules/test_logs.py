"""Logs: no secret in any of them, one line or one JSON object a record."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from pingpilot.accounts.keys import new_key
from pingpilot.telemetry.logs import configure_logging

TOKEN = "7123456789:AAF-abcdefghijklmnopqrstuvwxyz012345"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    tests_own = structlog.get_config()
    yield
    root.handlers, root.level = handlers, level
    structlog.configure(**tests_own)


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
