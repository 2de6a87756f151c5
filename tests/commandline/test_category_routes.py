"""`pingpilot category add` and `set`: the channels a category's events go to."""

from typing import Any

import pytest

from .conftest import Pingpilot

SET_BUG = ("category", "set", "bug", "--account", "alice@example.com")

NO_PIGEON = "'pigeon' is not a destination of this account: choose from discord, telegram, email."


@pytest.mark.parametrize(
    ("options", "said", "route"),
    [
        (["--channels", "telegram"], "goes to Telegram.", (["telegram"], None)),
        (
            ["--channels", " email , telegram ,"],
            "goes to Telegram and E-mail.",
            (["telegram", "email"], None),
        ),
        (
            ["--channels", "discord,telegram", "--fallback", "email"],
            "goes to Discord and Telegram, and to E-mail where that fails.",
            (["discord", "telegram"], "email"),
        ),
        (
            ["--channels", "telegram,email", "--fallback", "email"],
            "goes to Telegram, and to E-mail where that fails.",
            (["telegram", "email"], "email"),
        ),
        (
            ["--fallback", "email"],
            "goes to all other destinations that are switched on, and to E-mail where that fails.",
            (None, "email"),
        ),
        (["--channels", "email", "--fallback", "email"], "goes to E-mail.", (["email"], "email")),
    ],
)
@pytest.mark.usefixtures("alice")
def test_a_category_is_given_channels_and_a_fallback(
    pingpilot: Pingpilot, options: list[str], said: str, route: tuple[Any, Any]
) -> None:
    changed = pingpilot(*SET_BUG, *options)

    assert changed.out == f"The category 'bug' {said}\n"
    assert routes(pingpilot)["bug"] == route


@pytest.mark.usefixtures("alice")
def test_all_and_none_take_the_route_away(pingpilot: Pingpilot) -> None:
    pingpilot(*SET_BUG, "--channels", "telegram", "--fallback", "email")

    without_fallback = pingpilot(*SET_BUG, "--fallback", "none")
    halfway = routes(pingpilot)["bug"]
    to_all = pingpilot(*SET_BUG, "--channels", "all")

    assert without_fallback.out == "The category 'bug' goes to Telegram.\n"
    assert halfway == (["telegram"], None)
    assert to_all.out == "The category 'bug' goes to all destinations that are switched on.\n"
    assert routes(pingpilot)["bug"] == (None, None)


def test_a_new_category_may_have_a_route_and_the_table_shows_it(pingpilot: Pingpilot, alice: str) -> None:
    words = ("fire", "--account", alice, "--color", "#ff0000", "--urgent")

    added = pingpilot("category", "add", *words, "--channels", "discord,telegram", "--fallback", "email")

    listed = pingpilot("category", "list", "--account", alice)
    assert added.out.splitlines() == [
        "The category 'fire' is added.",
        "The category 'fire' goes to Discord and Telegram, and to E-mail where that fails.",
    ]
    assert ["fire", "#ff0000", "–", "discord,telegram", "email", "0", "–"] in [
        line.split() for line in listed.out.splitlines()
    ]


@pytest.mark.usefixtures("alice")
def test_urgency_and_route_change_together(pingpilot: Pingpilot) -> None:
    changed = pingpilot(*SET_BUG, "--urgent", "--channels", "email")

    assert changed.out.splitlines() == [
        "The category 'bug' passes quiet hours.",
        "The category 'bug' goes to E-mail.",
    ]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--channels", "pigeon"],
            NO_PIGEON,
        ),
        (
            ["--channels", "all,email"],
            NO_PIGEON.replace("pigeon", "all"),
        ),
        (["--channels", ""], "Name the destinations, such as telegram,email, or 'all' for all that are on."),
        (
            ["--fallback", "pigeon"],
            NO_PIGEON,
        ),
        (["--fallback", ""], "Name the destination to fall back to, or 'none'."),
        ([], "Say what is to change: --urgent or --not-urgent, --channels, --fallback."),
    ],
)
@pytest.mark.usefixtures("alice")
def test_a_route_that_can_not_be_is_one_sentence_and_changes_nothing(
    pingpilot: Pingpilot, options: list[str], sentence: str
) -> None:
    before = routes(pingpilot)

    refused = pingpilot(*SET_BUG, *options)

    assert (refused.code, refused.err) == (2, f"Error: {sentence}\n")
    assert routes(pingpilot) == before


def test_a_new_category_with_a_wrong_route_is_not_added(pingpilot: Pingpilot, alice: str) -> None:
    refused = pingpilot(
        "category", "add", "fire", "--account", alice, "--color", "#ff0000", "--channels", "pigeon"
    )

    assert (refused.code, "fire" in routes(pingpilot)) == (2, False)


def routes(pingpilot: Pingpilot) -> dict[str, tuple[Any, Any]]:
    """Return the channels and the fallback of each of Alice's categories."""
    listed = pingpilot("category", "list", "--account", "alice@example.com", "--json")
    return {each["name"]: (each["channels"], each["fallback"]) for each in listed.json}
