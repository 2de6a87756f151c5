"""`pingpilot category`."""

import pytest

from .conftest import Pingpilot


def test_a_category_is_added_listed_and_removed(pingpilot: Pingpilot, alice: str) -> None:
    added = pingpilot(
        "category", "add", "new-user", "--account", alice, "--color", "#00FF7f", "--emoji", "🎉"
    )
    listed = pingpilot("category", "list", "--account", alice)
    removed = pingpilot("category", "remove", "new-user", "--account", alice)

    assert added.out == "The category 'new-user' is added.\n"
    head, *rows = [line.split() for line in listed.out.splitlines()]
    assert head == ["NAME", "COLOR", "EMOJI", "CHANNELS", "FALLBACK", "THIS", "MONTH", "LAST", "EVENT"]
    assert ["new-user", "#00ff7f", "🎉", "all", "–", "0", "–"] in rows
    assert removed.out == "The category 'new-user' is removed.\n"
    assert names(pingpilot, alice) == ["bug", "question", "sale"]


def test_a_category_can_do_without_an_emoji(pingpilot: Pingpilot, alice: str) -> None:
    pingpilot("category", "add", "a", "--account", alice, "--color", "#000000")

    listed = pingpilot("category", "list", "--account", alice, "--json").json

    assert listed[0] == {
        "name": "a",
        "color": "#000000",
        "emoji": None,
        "urgent": False,
        "channels": None,
        "fallback": None,
        "eventsThisMonth": 0,
        "lastEventAt": None,
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("New User", "--color", "#ffffff", "--emoji", "🎉"), "A category's name is"),
        (("", "--color", "#ffffff", "--emoji", "🎉"), "A category's name is"),
        (("x" * 65, "--color", "#ffffff", "--emoji", "🎉"), "A category's name is"),
        (("x", "--color", "red", "--emoji", "🎉"), "A category's colour is"),
        (("x", "--color", "#fff", "--emoji", "🎉"), "A category's colour is"),
        (("x", "--color", "#ffffff", "--emoji", "🎉🎉"), "A category's emoji is"),
        (("x", "--color", "#ffffff", "--emoji", "a"), "A category's emoji is"),
    ],
)
def test_what_a_category_can_not_be_is_one_sentence(
    pingpilot: Pingpilot, alice: str, words: tuple[str, ...], sentence: str
) -> None:
    refused = pingpilot("category", "add", *words, "--account", alice)

    assert refused.code == 2
    assert refused.err.startswith(f"Error: {sentence}")
    assert len(names(pingpilot, alice)) == 3


def test_a_category_is_added_once(pingpilot: Pingpilot, alice: str) -> None:
    again = pingpilot("category", "add", "bug", "--account", alice, "--color", "#ffffff")

    assert again.code == 1
    assert again.err.startswith("Error: There is a category 'bug' already: ")


def test_removing_an_unknown_category_names_its_nearest(pingpilot: Pingpilot, alice: str) -> None:
    refused = pingpilot("category", "remove", "sales", "--account", alice)

    assert (refused.code, refused.err) == (
        1,
        "Error: There is no category 'sales': did you mean 'sale'?\n",
    )


def test_an_account_without_categories_is_told_how_to_add_one(pingpilot: Pingpilot, alice: str) -> None:
    for name in ("bug", "sale", "question"):
        pingpilot("category", "remove", name, "--account", alice)

    listed = pingpilot("category", "list", "--account", alice)

    assert listed.out == "No categories yet: add one with `pingpilot category add`.\n"


def names(pingpilot: Pingpilot, account: str) -> list[str]:
    listed = pingpilot("category", "list", "--account", account, "--json")
    return [each["name"] for each in listed.json]
