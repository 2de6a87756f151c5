"""Operators and suspended accounts, on the command line."""

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
