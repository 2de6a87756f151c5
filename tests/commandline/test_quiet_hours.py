"""`pingpilot account set` and `category set`: quiet hours, time zones, urgency."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from .conftest import Pingpilot

pytestmark = pytest.mark.usefixtures("configured")


def test_quiet_hours_are_set_shown_and_taken_away(pingpilot: Pingpilot, alice: str) -> None:
    pingpilot("account", "set", alice, "--channels", "email")

    quiet = pingpilot("account", "set", alice, "--quiet", "email=22:00-07:00", "--time-zone", "Europe/Berlin")
    silent = pingpilot("account", "set", alice, "--quiet", "email=23:00-06:30", "--silently")
    off = pingpilot("account", "set", alice, "--quiet", "email=off")

    assert "E-mail: on, alice@example.com, quiet 22:00-07:00" in quiet.out
    assert "E-mail: on, alice@example.com, silent 23:00-06:30" in silent.out
    assert "E-mail: on, alice@example.com\n" in off.out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--quiet", "email"], "telegram=22:00-07:00"),
        (["--quiet", "email=always"], "22:00-07:00"),
        (["--quiet", "pigeon=22:00-07:00"], "discord, telegram, email"),
        (["--silently"], "--quiet telegram=22:00-07:00"),
        (["--time-zone", "Berlin"], "Europe/Berlin"),
        (["--channels", "pigeon"], "discord, telegram, email"),
    ],
)
def test_what_can_not_be_meant_is_one_sentence(
    pingpilot: Pingpilot, alice: str, words: list[str], hint: str
) -> None:
    refused = pingpilot("account", "set", alice, *words)

    assert refused.code == 2
    assert refused.err.startswith("Error: ")
    assert hint in refused.err


@pytest.mark.parametrize(
    "wrong",
    [["--time-zone", "Berlin"], ["--quiet", "email=always"], ["--quiet", "pigeon=22:00-07:00"]],
    ids=" ".join,
)
def test_an_account_is_changed_as_a_whole_or_not_at_all(
    pingpilot: Pingpilot, alice: str, wrong: list[str]
) -> None:
    before = pingpilot("account", "show", alice).out

    refused = pingpilot(
        "account", "set", alice, "--channels", "email", "--quiet", "telegram=22:00-07:00", *wrong
    )

    assert refused.code == 2
    assert pingpilot("account", "show", alice).out == before


@pytest.mark.parametrize(
    ("days", "shown"), [(20, ", muted until {} 00:00 UTC"), (-1, ""), (400, "")], ids=["now", "over", "never"]
)
def test_a_channel_that_is_muted_says_so(
    pingpilot: Pingpilot, alice: str, sqlite_url: str, days: int, shown: str
) -> None:
    until = (datetime.now(UTC) + timedelta(days=days)).date()
    pingpilot("account", "set", alice, "--channels", "email")
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite://"))) as database, database:
        muted = "UPDATE destinations SET muted_until = ? WHERE channel = 'email'"
        database.execute(muted, [f"{until} 00:00:00+00:00"])

    seen = pingpilot("account", "show", alice)

    assert seen.out.endswith(f"E-mail: on, alice@example.com{shown.format(until)}\n")


def test_combining_is_switched_off_and_on(pingpilot: Pingpilot, alice: str, sqlite_url: str) -> None:
    def combines() -> bool:
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite://"))) as database:
            return bool(database.execute("SELECT combine FROM accounts").fetchone()[0])

    seen = [combines()]
    for option in ("--no-combine", "--combine"):
        pingpilot("account", "set", alice, option)
        seen.append(combines())

    assert seen == [True, False, True]


def test_a_category_is_made_urgent_and_less_so(pingpilot: Pingpilot, alice: str) -> None:
    urgent = pingpilot("category", "set", "bug", "--account", alice, "--urgent")
    less = pingpilot("category", "set", "bug", "--account", alice, "--not-urgent")
    added = pingpilot("category", "add", "fire", "--account", alice, "--color", "#ff0000", "--urgent")

    assert urgent.out == "The category 'bug' passes quiet hours.\n"
    assert less.out == "The category 'bug' keeps quiet hours.\n"
    assert added.out == "The category 'fire' is added.\n"


def test_a_category_that_is_not_there_is_named(pingpilot: Pingpilot, alice: str) -> None:
    refused = pingpilot("category", "set", "bugs", "--account", alice, "--urgent")

    assert refused.code == 1
    assert "did you mean 'bug'" in refused.err
