"""`pingpilot deliveries`: what failed is listed, and tried again."""

import asyncio
from datetime import UTC, datetime

import pytest

from models import Account, Delivery, DeliveryStatus
from models.database import open_database
from tests.support.accounts import link_chat
from tests.support.clock import ManualClock
from tests.support.events import accept

from .conftest import Pingpilot


@pytest.fixture
def failed(pingpilot: Pingpilot, alice: str, sqlite_url: str) -> list[int]:
    """Deliveries of Alice's two events on Discord and Telegram, all failed but the last."""

    async def make() -> list[int]:
        async with open_database(sqlite_url):
            clock = ManualClock(datetime.now(UTC))
            account = await Account.get(email=alice)
            for channel in ("discord", "telegram"):
                await link_chat(account, channel, clock)
            await accept(account, clock, "sale", "bug")
            rows = await Delivery.all().order_by("id")
            for row in rows[:-1]:
                row.status, row.attempts, row.last_error = (
                    DeliveryStatus.FAILED,
                    9,
                    "The platform\nis \x1b[31maway.",
                )
                await row.save()
            return [row.id for row in rows[:-1]]

    return asyncio.run(make())


def test_deliveries_are_listed_newest_first(pingpilot: Pingpilot, failed: list[int]) -> None:
    listed = pingpilot("deliveries", "list", "--json")

    assert [each["id"] for each in listed.json] == [failed[-1] + 1, *reversed(failed)]
    assert listed.json[-1].keys() == {
        *(
            "id",
            "eventId",
            "category",
            "channel",
            "destination",
            "status",
            "attempts",
            "lastError",
            "createdAt",
        ),
    }


def test_those_that_failed_are_listed_alone_and_fit_the_terminal(
    pingpilot: Pingpilot, failed: list[int]
) -> None:
    listed = pingpilot("deliveries", "list", "--failed", "--channel", "telegram")

    head, row = listed.out.splitlines()
    assert head.split() == ["ID", "DESTINATION", "STATUS", "ATTEMPTS", "CREATED", "EVENT", "LAST", "ERROR"]
    assert "The platform is away." in row
    assert "\x1b" not in listed.out


def test_all_that_failed_are_tried_again(pingpilot: Pingpilot, failed: list[int]) -> None:
    retried = pingpilot("deliveries", "retry", "--failed")

    left = pingpilot("deliveries", "list", "--failed")
    assert retried.out == "3 deliveries are tried again.\n"
    assert left.out == "No such deliveries.\n"


def test_one_is_tried_again_by_its_id(pingpilot: Pingpilot, failed: list[int]) -> None:
    retried = pingpilot("deliveries", "retry", str(failed[0]))

    left = pingpilot("deliveries", "list", "--failed", "--json")
    assert retried.out == "1 delivery is tried again.\n"
    assert [each["id"] for each in left.json] == list(reversed(failed[1:]))


def test_those_of_one_channel_and_account_are_tried_again(
    pingpilot: Pingpilot, alice: str, failed: list[int]
) -> None:
    retried = pingpilot("deliveries", "retry", "--failed", "--channel", "discord", "--account", alice)

    assert retried.out == "2 deliveries are tried again.\n"


def test_a_channel_or_an_account_is_choice_enough(
    pingpilot: Pingpilot, alice: str, failed: list[int]
) -> None:
    of_channel = pingpilot("deliveries", "retry", "--channel", "discord")
    of_account = pingpilot("deliveries", "retry", "--account", alice)

    assert of_channel.out == "2 deliveries are tried again.\n"
    assert of_account.out == "1 delivery is tried again.\n"


@pytest.mark.parametrize("number", ["0", str(2**63), "99999999999999999999"])
def test_what_can_be_no_id_is_refused(pingpilot: Pingpilot, failed: list[int], number: str) -> None:
    refused = pingpilot("deliveries", "retry", number)

    assert refused.code == 2
    assert "[ID]" in refused.err


def test_what_did_not_fail_is_left_alone(pingpilot: Pingpilot, failed: list[int]) -> None:
    retried = pingpilot("deliveries", "retry", str(failed[-1] + 1))

    assert retried.out == "0 deliveries are tried again.\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["retry"], "--failed"),
        (["retry", "--failed", "--channel", "pigeon"], "discord, telegram, email"),
        (["list", "--account", "bob@example.com"], "bob@example.com"),
    ],
)
def test_what_can_not_be_meant_is_one_sentence(
    pingpilot: Pingpilot, failed: list[int], words: list[str], hint: str
) -> None:
    refused = pingpilot("deliveries", *words)

    assert refused.code != 0
    assert refused.err.startswith("Error: ")
    assert hint in refused.err
