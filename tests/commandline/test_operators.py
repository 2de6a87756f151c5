"""Operators and suspended accounts, on the command line."""

import pytest

from .conftest import Pingpilot


def test_the_first_account_is_an_operator_and_others_are_made_one(pingpilot: Pingpilot, alice: str) -> None:
    second = pingpilot("account", "create", "bob@example.com")
    third = pingpilot("account", "create", "carol@example.com", "--operator")
    taken = pingpilot("account", "set", alice, "--no-operator")
    none_left = pingpilot("account", "set", "carol@example.com", "--no-operator")
    given = pingpilot("account", "set", "bob@example.com", "--operator")

    assert "operator" not in second.out
    assert "It is an operator: /operator in the dashboard" in third.out
    assert f"{alice} is no operator any more." in taken.out
    assert "No operator is left" not in taken.out
    assert "No operator is left: make one with `pingpilot account set EMAIL --operator`." in none_left.out
    assert "bob@example.com is an operator.\n" in given.out
    listed = pingpilot("account", "list", "--json").json
    assert {each["email"]: each["operator"] for each in listed} == {
        alice: False,
        "bob@example.com": True,
        "carol@example.com": False,
    }


def test_an_account_is_suspended_and_resumed(pingpilot: Pingpilot, alice: str) -> None:
    suspended = pingpilot("account", "suspend", alice)
    again = pingpilot("account", "suspend", alice)
    shown = pingpilot("account", "show", alice)
    listed = pingpilot("account", "list").out.splitlines()[1]
    resumed = pingpilot("account", "resume", alice)
    not_suspended = pingpilot("account", "resume", alice)

    assert suspended.out.startswith(f"{alice} is suspended: what waits is held until `account resume`.\n")
    assert "No operator is left" in suspended.out
    assert again.out.startswith(f"{alice} is suspended already")
    assert shown.out.startswith(f"{alice} (free plan, operator, suspended), since ")
    assert listed.endswith("operator, suspended")
    assert resumed.out == f"{alice} is in use again: what was held goes out.\n"
    assert not_suspended.out == f"{alice} is not suspended.\n"
    assert pingpilot("account", "show", alice, "--json").json["suspendedAt"] is None


def test_invitations_are_made_listed_and_taken_back(
    pingpilot: Pingpilot, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    off = pingpilot("invite", "grace@example.com")
    monkeypatch.setenv("PINGPILOT_SIGN_UP", "invite")
    monkeypatch.setenv("PINGPILOT_PUBLIC_URL", "https://example.org/ping")

    made = pingpilot("invite", "Grace@example.com", "--plan", "pro")
    as_json = pingpilot("invite", "heidi@example.com", "--json").json
    known = pingpilot("invite", alice)
    listed = pingpilot("account", "invitations").out.splitlines()
    taken_back = pingpilot("account", "uninvite", "grace@EXAMPLE.com")
    again = pingpilot("account", "uninvite", "grace@example.com")

    assert off.code == 2
    assert "set PINGPILOT_SIGN_UP=invite" in off.err
    url, passed_on, until = made.out.splitlines()
    assert url.startswith("https://example.org/ping/sign-up/")
    assert passed_on.endswith("not set up to send e-mails. Pass the link on to grace@example.com yourself.")
    assert until.startswith("It makes an account there, once, until ")
    assert as_json.keys() == {"email", "url", "expiresAt", "notSent"}
    assert "There is an account for alice@example.com already" in known.err
    assert [each.split()[:2] for each in listed[1:]] == [
        ["grace@example.com", "pro"],
        ["heidi@example.com", "free"],
    ]
    assert taken_back.out == "The invitation of grace@EXAMPLE.com is taken back.\n"
    assert again.code == 1
    assert [each["email"] for each in pingpilot("account", "invitations", "--json").json] == [
        "heidi@example.com"
    ]
