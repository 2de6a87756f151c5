"""`pingpilot sign-in`."""

import re
from datetime import UTC, datetime, timedelta

from .conftest import Pingpilot


def test_a_link_is_shown_with_how_long_it_works(pingpilot: Pingpilot, alice: str) -> None:
    made = pingpilot("sign-in", alice)

    assert re.fullmatch(
        r"http://127\.0\.0\.1:8080/sign-in/[\w-]{43}\n"
        r"Open it in a browser: it works once, until \d\d:\d\d UTC\.\n",
        made.out,
    )


def test_json_of_a_link_has_its_address_and_end(pingpilot: Pingpilot, alice: str) -> None:
    made = pingpilot("sign-in", alice, "--json")

    left = datetime.fromisoformat(made.json["expiresAt"]) - datetime.now(UTC)
    assert made.json.keys() == {"url", "expiresAt"}
    assert timedelta() < left <= timedelta(minutes=10)


def test_the_eleventh_link_in_ten_minutes_is_refused(pingpilot: Pingpilot, alice: str) -> None:
    for _ in range(10):
        pingpilot("sign-in", alice)

    refused = pingpilot("sign-in", alice)

    assert refused.code == 1
    assert "This account got 10 sign-in links in the last 10 minutes" in refused.err


def test_an_unknown_address_is_told_so(pingpilot: Pingpilot) -> None:
    refused = pingpilot("sign-in", "nobody@example.com")

    assert refused.code == 1
    assert "There is no account for nobody@example.com" in refused.err
