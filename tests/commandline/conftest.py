"""The command line in the test's own process: `sys.argv` in, output and exit code out."""

import sys
from collections.abc import Callable

import pytest

from pingpilot.cli import command_line
from tests.support.daemon import Ended

Pingpilot = Callable[..., Ended]


@pytest.fixture
def pingpilot(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Pingpilot:
    """Runs `pingpilot WORDS…` over a fresh database; environment variables are set with `monkeypatch`."""
    monkeypatch.setenv("PINGPILOT_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("COLUMNS", "200")  # help and usage errors wrap

    def run(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["pingpilot", *words])
        code = command_line()
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return run


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of every channel, which nothing is sent over."""
    monkeypatch.setenv("PINGPILOT_DISCORD_TOKEN", "a-token")
    monkeypatch.setenv("PINGPILOT_TELEGRAM_TOKEN", "1:a-token")
    monkeypatch.setenv("PINGPILOT_SMTP_HOST", "localhost")
    monkeypatch.setenv("PINGPILOT_SMTP_FROM", "alerts@example.com")


@pytest.fixture
def alice(pingpilot: Pingpilot) -> str:
    """The address of an account on the free plan, without channels."""
    pingpilot("account", "create", "alice@example.com", "--channels", "")
    return "alice@example.com"
