"""`pingpilot key`."""

import re

import pytest

from pingpilot.accounts.keys import looks_like_key

from .conftest import Pingpilot


def test_a_new_key_is_shown_once(pingpilot: Pingpilot, alice: str) -> None:
    made = pingpilot("key", "create", "--account", alice, "--name", "ci", "--json")
    listed = pingpilot("key", "list", "--account", alice)

    assert made.json.keys() == {"id", "name", "scope", "categories", "apiKey"}
    assert looks_like_key(made.json["apiKey"])
    assert made.json["apiKey"][:11] in listed.out
    assert made.json["apiKey"] not in listed.out


def test_a_new_key_is_printed_for_people(pingpilot: Pingpilot, alice: str) -> None:
    made = pingpilot("key", "create", "--account", alice)

    first, second = made.out.splitlines()
    assert looks_like_key(first.removeprefix("API key 'key': "))
    assert second == "It may do everything. Keep the key: it is shown this once."


def test_keys_are_listed_oldest_first(pingpilot: Pingpilot, alice: str) -> None:
    pingpilot("key", "create", "--account", alice, "--name", "a newer one")

    listed = pingpilot("key", "list", "--account", alice, "--json")

    assert [each["name"] for each in listed.json] == ["default", "a newer one"]
    assert listed.json[0].keys() == {
        "id",
        "name",
        "scope",
        "categories",
        "prefix",
        "createdAt",
        "lastUsedAt",
        "expiresAt",
        "revokedAt",
    }


@pytest.mark.parametrize(
    ("options", "rights", "told"),
    [
        ([], ("manage", None), "do everything"),
        (["--scope", "send"], ("send", None), "only send events"),
        (
            ["--category", "sale", "--category", "bug"],
            ("send", ["sale", "bug"]),
            "only send events of sale, bug",
        ),
        (["--scope", "manage"], ("manage", None), "do everything"),
    ],
    ids=["default", "send", "categories", "manage"],
)
def test_a_key_may_do_what_it_is_made_for(
    pingpilot: Pingpilot, alice: str, options: list[str], rights: tuple[str, object], told: str
) -> None:
    made = pingpilot("key", "create", "--account", alice, *options)

    _, key = pingpilot("key", "list", "--account", alice, "--json").json
    assert f"It may {told}. " in made.out
    assert (key["scope"], key["categories"]) == rights


def test_the_first_key_of_an_account_may_do_everything(pingpilot: Pingpilot, alice: str) -> None:
    (key,) = pingpilot("key", "list", "--account", alice, "--json").json

    assert (key["scope"], key["categories"]) == ("manage", None)


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--category", "sales"], 1, "did you mean 'sale'?"),
        (["--scope", "manage", "--category", "sale"], 2, "Only a key of scope 'send'"),
        (["--scope", "all"], 2, "'send', 'manage'"),
    ],
    ids=["unknown category", "manage with categories", "unknown scope"],
)
def test_rights_that_make_no_sense_are_refused(
    pingpilot: Pingpilot, alice: str, options: list[str], code: int, told: str
) -> None:
    refused = pingpilot("key", "create", "--account", alice, *options)

    assert refused.code == code
    assert told in refused.err


def test_the_list_shows_rights_and_states_for_people(pingpilot: Pingpilot, alice: str) -> None:
    pingpilot("key", "create", "--account", alice, "--name", "shop", "--category", "sale")
    pingpilot("key", "rotate", "shop", "--account", alice, "--overlap", "1h")
    pingpilot("key", "rotate", "default", "--account", alice, "--overlap", "0")

    head, default, old, new, _ = pingpilot("key", "list", "--account", alice).out.splitlines()

    assert head.split() == ["ID", "NAME", "KEY", "SCOPE", "CATEGORIES", "CREATED", "LAST", "USED", "STATE"]
    assert re.search(r" manage  all .* revoked \d{4}-", default)
    assert re.search(r" send    sale .* rotated, works until \d{4}-", old)
    assert re.search(r" send    sale .* in force$", new)


def test_rotating_shows_the_new_key_once_and_when_the_old_one_ends(pingpilot: Pingpilot, alice: str) -> None:
    rotated = pingpilot("key", "rotate", "default", "--account", alice)

    old, new = pingpilot("key", "list", "--account", alice, "--json").json
    first, second = rotated.out.splitlines()
    key = first.removeprefix("API key 'default': ")
    assert looks_like_key(key)
    assert key.startswith(new["prefix"])
    assert f"{old['expiresAt'][:16].replace('T', ' ')} UTC" in second
    assert "shown this once" in second


def test_rotating_by_name_takes_the_newest_each_time(pingpilot: Pingpilot, alice: str) -> None:
    first = pingpilot("key", "rotate", "default", "--account", alice, "--overlap", "7d", "--json").json
    second = pingpilot("key", "rotate", "default", "--account", alice, "--overlap", "0", "--json").json

    assert second["replaces"]["id"] == first["id"]
    assert second["replaces"]["revokedAt"]
    assert first["replaces"]["revokedAt"] is None


def test_a_name_shared_during_an_overlap_is_not_guessed_at(pingpilot: Pingpilot, alice: str) -> None:
    made = pingpilot("key", "rotate", "default", "--account", alice, "--json").json

    refused = pingpilot("key", "revoke", "default", "--account", alice)
    revoked = pingpilot("key", "revoke", str(made["replaces"]["id"]), "--account", alice)

    assert refused.code == 2
    assert f"{made['replaces']['id']} or {made['id']}" in refused.err
    assert revoked.out == "The key 'default' is revoked.\n"


@pytest.mark.parametrize("overlap", ["soon", "31d", "-1h"])
def test_an_overlap_that_is_none_is_refused(pingpilot: Pingpilot, alice: str, overlap: str) -> None:
    refused = pingpilot("key", "rotate", "default", "--account", alice, f"--overlap={overlap}")

    assert refused.code == 2
    assert "30m, 24h or 7d" in refused.err


def test_a_key_that_is_not_there_is_not_rotated(pingpilot: Pingpilot, alice: str) -> None:
    refused = pingpilot("key", "rotate", "ci", "--account", alice)

    assert refused.code == 1
    assert "has no key 'ci' in force" in refused.err


def test_revoking_the_last_key_that_can_manage_says_how_to_go_on(pingpilot: Pingpilot, alice: str) -> None:
    pingpilot("key", "create", "--account", alice, "--name", "shop", "--scope", "send")

    revoked = pingpilot("key", "revoke", "default", "--account", alice)

    assert revoked.code == 0
    assert f"pingpilot key create --account {alice} --scope manage" in revoked.out


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
