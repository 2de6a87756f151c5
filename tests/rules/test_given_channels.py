"""A channel whose addresses are given, not linked: always configured, and with nothing direct to switch."""

from datetime import UTC, datetime

import pytest

from models import Account, Destination, DestinationKind, Event
from pingpilot.accounts.accounts import accounts_without_channel, direct_destinations
from pingpilot.accounts.destinations import label_of
from pingpilot.accounts.preferences import AccountChange, ChannelChange, change_account
from pingpilot.channels import WEBHOOK, direct_channels
from pingpilot.clock import SystemClock
from pingpilot.config import load_settings
from pingpilot.errors import InvalidInput
from pingpilot.events.offers import offer_channels
from pingpilot.networks import networks_of
from pingpilot.telemetry.findings import Level, Visit
from pingpilot.telemetry.setting_warnings import setting_warnings
from pingpilot.webhook.doctor import check
from pingpilot.webhook.settings import WebhookSettings
from tests.support.accounts import new_account

NOT_DIRECT = r"^Webhook has no direct destination: choose from discord, telegram, email\.$"
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.fixture
async def alice(sqlite: str) -> Account:
    return await new_account(SystemClock(), channels=["email"])


async def add_webhook(account: Account, name: str = "program") -> None:
    await Destination.create(
        account_id=account.id,
        channel=WEBHOOK.name,
        kind=DestinationKind.WEBHOOK,
        name=name,
        enabled=True,
        address="https://hooks.example.com/",
    )


def test_it_is_configured_without_any_setting_and_not_one_of_the_direct_ones() -> None:
    settings = load_settings()

    assert settings.configured_channels == [WEBHOOK.name]
    assert settings.direct_channels == []
    assert WEBHOOK.name not in direct_channels()


def test_a_server_with_nothing_else_is_warned() -> None:
    [warning] = setting_warnings(load_settings())

    assert warning.text.startswith("No channel is configured")


async def test_no_account_is_made_with_it(sqlite: str) -> None:
    with pytest.raises(InvalidInput, match=NOT_DIRECT):
        await new_account(SystemClock(), channels=[WEBHOOK.name])

    assert await Account.all().count() == 0


async def test_it_is_not_switched_on_for_a_whole_account(alice: Account) -> None:
    for change in (ChannelChange(enabled=True), ChannelChange(quiet_hours="22:00-07:00")):
        with pytest.raises(InvalidInput, match=NOT_DIRECT):
            await change_account(alice, AccountChange(channels={WEBHOOK.name: change}), NOW)

    assert WEBHOOK.name not in [each.channel for each in await direct_destinations(alice)]
    assert await Destination.filter(channel=WEBHOOK.name).count() == 0


async def test_it_is_offered_to_nobody(alice: Account) -> None:
    assert await offer_channels(load_settings().configured_channels, NOW) == 0
    assert await Event.all().count() == 0


async def test_an_account_that_has_one_has_a_channel(alice: Account) -> None:
    configured = load_settings().configured_channels  # no mail server: the direct channel can't be used
    before = await accounts_without_channel(configured)
    await add_webhook(alice)

    assert (before, await accounts_without_channel(configured)) == ([alice.email], [])


def test_a_destination_of_the_channels_name_is_called_by_it_as_any_other() -> None:
    assert label_of(WEBHOOK.name) == "'webhook'"
    assert label_of("email") == "E-mail"


@pytest.mark.parametrize(
    ("allow", "level", "text"),
    [
        ("", Level.OK, "Webhooks go to addresses of the internet."),
        (
            "10.0.0.0/8, fd00::1",
            Level.OK,
            "Webhooks go to addresses of the internet, and to 10.0.0.0/8, fd00::1.",
        ),
        ("0.0.0.0/0", Level.WARNING, "Webhooks may lead anywhere in this server's own network."),
        ("::/0", Level.WARNING, "Webhooks may lead anywhere in this server's own network."),
    ],
)
async def test_the_doctor_tells_what_is_opened(
    monkeypatch: pytest.MonkeyPatch, allow: str, level: Level, text: str
) -> None:
    monkeypatch.setenv("PINGPILOT_WEBHOOK_ALLOW", allow)

    found = await check(load_settings().of(WebhookSettings), Visit())

    assert (found.level, found.text) == (level, text)


def test_the_setting_takes_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINGPILOT_WEBHOOK_ALLOW", "10.1.2.3, 192.168.0.7/24 ,")

    settings = load_settings().of(WebhookSettings)

    assert settings.allowed == networks_of(["10.1.2.3/32", "192.168.0.0/24"])
