"""`pingpilot account`."""

from typing import Any

import pytest

from pingpilot.accounts.keys import looks_like_key

from .conftest import Pingpilot

CREATE = ("account", "create", "alice@example.com")
ALL_OFF = {"discord": False, "telegram": False, "email": False}


def test_a_new_account_shows_its_key_and_what_to_do_next(pingpilot: Pingpilot) -> None:
    made = pingpilot(*CREATE)

    lines = made.out.splitlines()
    assert made.code == 0
    assert lines[0] == "Account alice@example.com (free plan) is ready."
    assert looks_like_key(lines[1].removeprefix("API key: "))
    assert "pingpilot link-code" in lines[2]


def test_json_of_a_new_account_has_just_what_programs_need(pingpilot: Pingpilot) -> None:
    made = pingpilot(*CREATE, "--plan", "pro", "--json")

    assert made.json.keys() == {"accountId", "email", "plan", "apiKey", "warning"}
    assert (made.json["email"], made.json["plan"]) == ("alice@example.com", "pro")
    assert looks_like_key(made.json["apiKey"])


def test_a_new_account_has_the_starter_categories(pingpilot: Pingpilot, alice: str) -> None:
    listed = pingpilot("category", "list", "--account", alice, "--json")

    assert [(each["name"], each["emoji"], each["color"]) for each in listed.json] == [
        ("bug", "🐛", "#ff6b6b"),
        ("question", "🤔", "#6c5ce7"),
        ("sale", "💰", "#ffeb3b"),
    ]


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ((), 100),
        (("--plan", "pro"), 1000),
        (("--plan", "enterprise"), None),
        (("--plan", "enterprise", "--monthly-events", "5000"), 5000),
        (("--monthly-events", "0"), 0),
    ],
)
def test_the_plan_or_a_limit_of_its_own_sets_the_quota(
    pingpilot: Pingpilot, options: tuple[str, ...], limit: int | None
) -> None:
    pingpilot(*CREATE, *options)

    shown = pingpilot("account", "show", "alice@example.com", "--json")

    assert shown.json["eventsLimit"] == limit
    assert shown.json["eventsUsed"] == 0


def test_plans_have_the_limits_of_the_settings(
    pingpilot: Pingpilot, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINGPILOT_PLAN_FREE_EVENTS", "7")

    shown = pingpilot("account", "show", alice, "--json")

    assert shown.json["eventsLimit"] == 7


@pytest.mark.usefixtures("configured")
def test_a_new_account_has_the_channels_the_daemon_is_set_up_for(
    pingpilot: Pingpilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PINGPILOT_DISCORD_TOKEN")

    created = pingpilot(*CREATE)

    assert channels(pingpilot) == ALL_OFF | {"telegram": True, "email": True}
    assert "Discord: off, as PINGPILOT_DISCORD_TOKEN is not set\n" in created.out
    assert "E-mail: on, alice@example.com\n" in created.out
    assert "Events are refused until Telegram is linked: get a code with `pingpilot link-code" in created.out
    assert created.err == ""


def test_the_plan_of_new_accounts_is_a_setting(pingpilot: Pingpilot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINGPILOT_DEFAULT_PLAN", "Enterprise")

    pingpilot(*CREATE)
    pingpilot("account", "create", "bob@example.com", "--plan", "pro")

    listed = pingpilot("account", "list", "--json").json
    assert [(each["plan"], each["eventsLimit"]) for each in listed] == [("enterprise", None), ("pro", 1000)]


def test_a_new_account_whose_events_would_go_nowhere_is_told_so(pingpilot: Pingpilot) -> None:
    created = pingpilot(*CREATE)
    shown = pingpilot("account", "show", "alice@example.com", "--json")

    assert created.code == 0
    assert "Warning: No channel can be used, so events are stored and go nowhere: set up" in created.err
    assert "then switch one on with `pingpilot account set alice@example.com --channels" in created.err
    assert shown.json["warning"] in created.err


@pytest.mark.parametrize("command", ["create", "set"])
def test_a_channel_without_settings_is_not_switched_on(
    pingpilot: Pingpilot, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("PINGPILOT_TELEGRAM_TOKEN", "1:a-token")
    if command == "set":
        pingpilot(*CREATE, "--channels", "")

    refused = pingpilot("account", command, "alice@example.com", "--channels", "telegram,discord")

    assert refused.code == 2
    assert "Discord can't be switched on: this server is not set up for it. Set PINGPILOT_DISCORD_TOKEN" in (
        refused.err
    )
    assert command == "create" or channels(pingpilot) == ALL_OFF


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("given", "on"),
    [("", []), ("email", ["email"]), ("discord, telegram,", ["discord", "telegram"])],
)
def test_channels_can_be_chosen(pingpilot: Pingpilot, given: str, on: list[str]) -> None:
    pingpilot(*CREATE, "--channels", given)

    assert channels(pingpilot) == ALL_OFF | dict.fromkeys(on, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("alice",), "'alice' is not an e-mail address"),
        (("al ice@example.com",), "is not an e-mail address"),
        (("alice@example.com", "--channels", "pigeon"), "'pigeon' is not a channel"),
        (("alice@example.com", "--channels", "webhook"), "Webhook has no direct destination: choose from"),
        (("alice@example.com", "--monthly-events", "9007199254740992"), "A monthly limit is"),
    ],
)
def test_what_can_not_be_taken_is_one_sentence(
    pingpilot: Pingpilot, words: tuple[str, ...], sentence: str
) -> None:
    refused = pingpilot("account", "create", *words)

    assert refused.code == 2
    assert refused.err.startswith("Error: ")
    assert sentence in refused.err
    assert len(refused.err.splitlines()) == 1
    assert pingpilot("account", "list", "--json").json == []


@pytest.mark.parametrize("words", [("--plan", "gold"), ("--monthly-events", "-1"), ("--monthly-events", "x")])
def test_options_of_the_wrong_kind_are_usage_errors(pingpilot: Pingpilot, words: tuple[str, str]) -> None:
    refused = pingpilot(*CREATE, *words)

    assert refused.code == 2
    assert words[0] in refused.err


def test_an_address_has_one_account(pingpilot: Pingpilot, alice: str) -> None:
    again = pingpilot("account", "create", "Alice@Example.com")

    assert (again.code, again.err) == (1, f"Error: There is an account for {alice} already.\n")


def test_accounts_are_listed_by_address(pingpilot: Pingpilot, alice: str) -> None:
    pingpilot("account", "create", "aaron@example.com", "--plan", "enterprise")

    listed = pingpilot("account", "list")
    as_json = pingpilot("account", "list", "--json")

    head, *rows = listed.out.splitlines()
    assert head.split() == ["EMAIL", "PLAN", "USED", "LIMIT", "CREATED"]
    assert [row.split()[:4] for row in rows] == [
        ["aaron@example.com", "enterprise", "0", "unlimited"],
        [alice, "free", "0", "100"],
    ]
    assert [each["email"] for each in as_json.json] == ["aaron@example.com", alice]


def test_no_accounts_are_listed_as_a_hint(pingpilot: Pingpilot) -> None:
    listed = pingpilot("account", "list")

    assert listed.out == "No accounts yet: make one with `pingpilot account create EMAIL`.\n"


@pytest.mark.usefixtures("configured")
def test_an_account_is_shown_with_plan_quota_and_channels(pingpilot: Pingpilot) -> None:
    pingpilot(*CREATE, "--channels", "discord,email")

    shown = pingpilot("account", "show", "alice@example.com")

    lines = shown.out.splitlines()
    assert lines[0].startswith("alice@example.com (free plan, operator), since ")
    assert lines[1].startswith("This month: 0 of 100 events, resets ")
    assert lines[2:] == [
        "Discord: on, not linked yet",
        "Telegram: off",
        "E-mail: on, alice@example.com",
    ]


def test_an_account_can_change_its_plan(pingpilot: Pingpilot, alice: str) -> None:
    to_pro = pingpilot("account", "set-plan", alice, "pro")
    to_own = pingpilot("account", "set-plan", alice, "enterprise", "--monthly-events", "25000")

    assert to_pro.out == f"{alice} is on the pro plan: 1,000 events a month.\n"
    assert to_own.out == f"{alice} is on the enterprise plan: 25,000 events a month.\n"
    assert pingpilot("account", "show", alice, "--json").json["plan"] == "enterprise"


def test_without_a_mail_server_no_address_is_changed(pingpilot: Pingpilot, alice: str) -> None:
    refused = pingpilot("account", "set", alice, "--email", "alice@example.org")

    assert refused.code == 2
    assert "confirmed by a link sent there: set PINGPILOT_SMTP_HOST first" in refused.err


@pytest.mark.usefixtures("configured")
def test_channels_can_be_switched(pingpilot: Pingpilot, alice: str) -> None:
    switched = pingpilot("account", "set", alice, "--channels", "telegram,email")

    assert switched.out.splitlines() == [
        "Discord: off",
        "Telegram: on, not linked yet",
        f"E-mail: on, {alice}",
    ]
    assert channels(pingpilot) == ALL_OFF | {"telegram": True, "email": True}


@pytest.mark.parametrize(
    "words",
    [
        ("account", "show", "nobody@example.com"),
        ("account", "set-plan", "nobody@example.com", "pro"),
        ("account", "set", "nobody@example.com", "--combine"),
        ("key", "create", "--account", "nobody@example.com"),
        ("key", "list", "--account", "nobody@example.com"),
        ("key", "revoke", "default", "--account", "nobody@example.com"),
        ("category", "add", "x", "--account", "nobody@example.com", "--color", "#ffffff"),
        ("category", "list", "--account", "nobody@example.com"),
        ("category", "remove", "bug", "--account", "nobody@example.com"),
        ("link-code", "--account", "nobody@example.com"),
    ],
)
def test_an_unknown_account_is_one_sentence_everywhere(pingpilot: Pingpilot, words: tuple[str, ...]) -> None:
    refused = pingpilot(*words)

    assert refused.code == 1
    assert refused.err.startswith("Error: There is no account for nobody@example.com")
    assert refused.out == ""


def channels(pingpilot: Pingpilot) -> dict[str, Any]:
    """Return which of Alice's channels are switched on."""
    shown = pingpilot("account", "show", "alice@example.com", "--json")
    return {name: channel["enabled"] for name, channel in shown.json["channels"].items()}
