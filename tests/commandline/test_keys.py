"""`pingpilot key`."""

import pytest

from pingpilot.keys import looks_like_key

from .conftest import Pingpilot


def test_a_new_key_is_shown_once(pingpilot: Pingpilot, alice: str) -> None:
    made = pingpilot("key", "create", "--account", alice, "--name", "ci", "--json")
    listed = pingpilot("key", "list", "--account", alice)

    assert made.json.keys() == {"id", "name", "apiKey"}
    assert looks_like_key(made.json["apiKey"])
    assert made.json["apiKey"][:11] in listed.out
    assert made.json["apiKey"] not in listed.out


def test_a_new_key_is_printed_for_people(pingpilot: Pingpilot, alice: str) -> None:
    made = pingpilot("key", "create", "--account", alice)

    first, second = made.out.splitlines()
    assert looks_like_key(first.removeprefix("API key 'key': "))
    assert second == "Keep the key: it is shown this once."


def test_keys_are_listed_oldest_first(pingpilot: Pingpilot, alice: str) -> None:
    pingpilot("key", "create", "--account", alice, "--name", "a newer one")

    listed = pingpilot("key", "list", "--account", alice, "--json")

    assert [each["name"] for each in listed.json] == ["default", "a newer one"]
    assert listed.json[0].keys() == {"id", "name", "prefix", "createdAt", "lastUsedAt", "revokedAt"}


@pytest.mark.parametrize("by", ["name", "id", "prefix", "apiKey"])
def test_a_key_is_revoked_by_whatever_names_it(pingpilot: Pingpilot, alice: str, by: str) -> None:
    made = pingpilot("key", "create", "--account", alice, "--name", "ci", "--json").json
    names = {**made, "id": str(made["id"]), "prefix": made["apiKey"][:11]}

    revoked = pingpilot("key", "revoke", names[by], "--account", alice)

    assert revoked.out == "The key 'ci' is revoked.\n"
    listed = pingpilot("key", "list", "--account", alice, "--json").json
    assert [each["name"] for each in listed if each["revokedAt"]] == ["ci"]


def test_a_key_is_revoked_once(pingpilot: Pingpilot, alice: str) -> None:
    pingpilot("key", "revoke", "default", "--account", alice)

    again = pingpilot("key", "revoke", "default", "--account", alice)

    assert again.code == 1
    assert "has no key 'default' in force" in again.err


def test_the_name_of_a_revoked_key_is_free_again(pingpilot: Pingpilot, alice: str) -> None:
    taken = pingpilot("key", "create", "--account", alice, "--name", "default")
    pingpilot("key", "revoke", "default", "--account", alice)
    free = pingpilot("key", "create", "--account", alice, "--name", "default")

    assert taken.code == 1
    assert "There is a key named 'default' already" in taken.err
    assert free.code == 0


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "x" * 65])
def test_a_key_needs_a_name_that_can_be_shown(pingpilot: Pingpilot, alice: str, name: str) -> None:
    refused = pingpilot("key", "create", "--account", alice, "--name", name)

    assert refused.code == 2
    assert refused.err.startswith("Error: A key's name is")
