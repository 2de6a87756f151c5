"""What `/failed` lists and its buttons do, whatever the platform, on both databases."""

from datetime import timedelta
from typing import Any

import pytest

from bots.replies import Reply
from models import Account, Category, Delivery, DeliveryAttempt, Destination
from pingpilot.accounts.linking import ChatUser, unlink
from pingpilot.events.deliveries import Selection, retry_deliveries
from pingpilot.events.notices import post_notice
from tests.support.accounts import link_chat, new_account
from tests.support.failures import failed_deliveries

from .bots import Bots

ALICE = ChatUser("discord", "4711", "alice")
BEA = ChatUser("discord", "4712", "bea")
GONE = "That delivery no longer exists."


@pytest.fixture
async def alice(database: str, bots: Bots) -> Account:
    """An account with e-mail and Discord, whose chat user is `ALICE`."""
    return await linked_account(bots, "alice@example.com", ALICE)


@pytest.fixture
async def bea(database: str, bots: Bots) -> Account:
    """Another account, of `BEA`."""
    return await linked_account(bots, "bea@example.com", BEA)


@pytest.mark.usefixtures("alice")
async def test_where_nothing_failed_it_says_so(bots: Bots) -> None:
    reply = await bots.commands.failed(ALICE)

    assert reply == Reply.of("No failed deliveries.")


async def test_failures_come_newest_first_each_with_a_button(bots: Bots, alice: Account) -> None:
    first, second = await failed_deliveries(alice, bots.clock, "sale", "bug")
    bots.clock.advance(timedelta(hours=2))

    reply = await bots.commands.failed(ALICE)

    assert texts(reply) == [
        "2 deliveries failed:",
        "1. 🐛 bug – Something about bug",
        "E-mail, 2 hours ago: Mailbox full.",
        "2. 💰 sale – Something about sale",
        "E-mail, 2 hours ago: Mailbox full.",
    ]
    assert buttons(reply) == {
        "Retry 1": f"retry:{second}",
        "Retry 2": f"retry:{first}",
        "Retry all": "retry:all",
    }


async def test_failures_of_every_channel_and_account_are_told_apart(
    bots: Bots, alice: Account, bea: Account
) -> None:
    await link_chat(bea, "discord", bots.clock, ALICE.user_id)
    [on_discord] = await failed_deliveries(alice, bots.clock, "sale", channel="discord")
    [by_mail] = await failed_deliveries(bea, bots.clock, "bug")

    reply = await bots.commands.failed(ALICE)

    assert texts(reply)[2::2] == [
        "E-mail of bea@example.com, 1 minute ago: Mailbox full.",
        "Discord of alice@example.com, 2 minutes ago: Mailbox full.",
    ]
    assert list(buttons(reply).values()) == [f"retry:{by_mail}", f"retry:{on_discord}", "retry:all"]


async def test_one_failure_needs_no_button_for_all(bots: Bots, alice: Account) -> None:
    await failed_deliveries(alice, bots.clock, "sale")

    reply = await bots.commands.failed(ALICE)

    assert texts(reply)[0] == "1 delivery failed:"
    assert list(buttons(reply)) == ["Retry 1"]


async def test_of_many_the_newest_are_shown_and_all_are_retried(bots: Bots, alice: Account) -> None:
    failed = await failed_deliveries(alice, bots.clock, *["sale"] * 5)
    failed += await failed_deliveries(alice, bots.clock, *["sale"] * 5, channel="discord")

    reply = await bots.commands.failed(ALICE)
    retried = await bots.commands.retry(ALICE, "retry:all")

    assert texts(reply)[0] == "10 deliveries failed. The newest are:"
    assert list(buttons(reply).values()) == [*(f"retry:{each}" for each in failed[:1:-1]), "retry:all"]
    assert texts(retried) == ["🔁 Trying 10 deliveries again.", "No failed deliveries."]
    assert await states(failed) == ["pending"] * 10


async def test_a_retried_delivery_goes_back_to_the_queue_with_its_history(bots: Bots, alice: Account) -> None:
    older, newer = await failed_deliveries(alice, bots.clock, "sale", "bug")

    reply = await bots.commands.retry(ALICE, f"retry:{newer}")

    delivery = await Delivery.get(id=newer)
    assert texts(reply) == [
        "🔁 Trying again: bug on E-mail.",
        "1 delivery failed:",
        "1. 💰 sale – Something about sale",
        "E-mail, 2 minutes ago: Mailbox full.",
    ]
    assert buttons(reply) == {"Retry 1": f"retry:{older}"}
    assert (delivery.status, delivery.attempts, delivery.forgiven) == ("pending", 1, 1)
    assert delivery.next_attempt_at == bots.clock.now()
    assert [each.outcome for each in await DeliveryAttempt.filter(delivery_id=newer)] == ["failed"]
    assert await states([older]) == ["failed"]


async def test_the_channels_of_what_is_retried_are_woken(bots: Bots, alice: Account) -> None:
    [by_mail] = await failed_deliveries(alice, bots.clock, "sale")
    await failed_deliveries(alice, bots.clock, "sale", channel="discord")

    await bots.commands.retry(ALICE, f"retry:{by_mail}")
    woken_by_one = list(bots.woken)
    await bots.commands.retry(ALICE, "retry:all")

    assert (woken_by_one, bots.woken) == (["email"], ["email", "discord"])


async def test_a_second_press_changes_nothing(bots: Bots, alice: Account) -> None:
    [failed] = await failed_deliveries(alice, bots.clock, "sale")
    await bots.commands.retry(ALICE, f"retry:{failed}")
    first = await Delivery.get(id=failed).values()
    bots.clock.advance(timedelta(seconds=5))

    again = await bots.commands.retry(ALICE, f"retry:{failed}")
    all_again = await bots.commands.retry(ALICE, "retry:all")

    assert texts(again) == ["Already on its way: sale on E-mail.", "No failed deliveries."]
    assert texts(all_again) == ["There was nothing left to retry.", "No failed deliveries."]
    assert await Delivery.get(id=failed).values() == first
    assert bots.woken == ["email"]


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("pending", "Already on its way: sale on E-mail."),
        ("sending", "Already on its way: sale on E-mail."),
        ("held", "Already on its way: sale on E-mail."),
        ("delivered", "Already delivered: sale on E-mail."),
    ],
)
async def test_what_was_retried_elsewhere_meanwhile_is_left_alone(
    bots: Bots, alice: Account, now: str, said: str
) -> None:
    [failed] = await failed_deliveries(alice, bots.clock, "sale")
    await retry_deliveries(Selection(alice.id), bots.clock.now())
    await Delivery.filter(id=failed).update(status=now)

    reply = await bots.commands.retry(ALICE, f"retry:{failed}")

    assert texts(reply)[0] == said
    assert await states([failed]) == [now]


@pytest.mark.parametrize(
    "forged",
    [
        *("", "retry", "retry:", "retry:0", "retry:-1", "retry:+1", "retry: 1", "retry:1.0", "retry:\u0661"),
        *("retry:all ", "retry:ALL", "RETRY:1", "retry:1\n", "retry:1 OR 1=1", "retry:%s", "mute:1", "\0"),
        *(f"retry:{2**63 - 1}", f"retry:{2**63}", f"retry:{10**19 - 1}", f"retry:{'9' * 5000}"),
    ],
)
async def test_an_id_that_is_none_is_answered_and_changes_nothing(
    bots: Bots, alice: Account, forged: str
) -> None:
    failed = await failed_deliveries(alice, bots.clock, "sale")

    reply = await bots.commands.retry(ALICE, forged)

    assert texts(reply)[:2] == [GONE, "1 delivery failed:"]
    assert await states(failed) == ["failed"]
    assert bots.woken == []


async def test_nobody_reaches_the_deliveries_of_another(bots: Bots, alice: Account, bea: Account) -> None:
    own = await failed_deliveries(alice, bots.clock, "sale")
    failed = await failed_deliveries(bea, bots.clock, "bug", "bug")

    listed = await bots.commands.failed(ALICE)
    forged = await bots.commands.retry(ALICE, f"retry:{failed[0]}")
    all_own = await bots.commands.retry(ALICE, "retry:all")

    assert list(buttons(listed).values()) == [f"retry:{own[0]}"]
    assert texts(forged)[0] == GONE
    assert texts(all_own) == ["🔁 Trying 1 delivery again.", "No failed deliveries."]
    assert await states([*own, *failed]) == ["pending", "failed", "failed"]


@pytest.mark.parametrize("action", ["retry:all", "retry:{}"])
async def test_who_is_not_linked_any_more_retries_nothing(bots: Bots, alice: Account, action: str) -> None:
    [failed] = await failed_deliveries(alice, bots.clock, "sale")
    await unlink(alice, "discord", bots.clock.now())

    pressed = await bots.commands.retry(ALICE, action.format(failed))
    asked = await bots.commands.failed(ALICE)

    assert texts(pressed)[0] == "This chat is not linked to an account yet."
    assert pressed == asked
    assert await states([failed]) == ["failed"]


async def test_the_same_id_on_another_platform_is_somebody_else(bots: Bots, alice: Account) -> None:
    [failed] = await failed_deliveries(alice, bots.clock, "sale")

    reply = await bots.commands.retry(ChatUser("telegram", ALICE.user_id, "alice"), f"retry:{failed}")

    assert texts(reply)[0] == "This chat is not linked to an account yet."
    assert await states([failed]) == ["failed"]


async def test_long_and_odd_texts_take_one_line(bots: Bots, alice: Account) -> None:
    [failed] = await failed_deliveries(
        alice, bots.clock, "sale", description="\u202eOne\nlonely\tlamp " + "lamp " * 40
    )
    await Delivery.filter(id=failed).update(last_error="The mail server says:\r\n" + "no " * 100)

    _, entry, error = texts(await bots.commands.failed(ALICE))

    assert entry == "1. 💰 sale – One lonely lamp lamp lamp lamp lamp lamp lamp lamp lamp lam…"
    assert error.startswith("E-mail, 1 minute ago: The mail server says: no no")
    assert error.endswith("no…")
    assert len(error) <= len("E-mail, 1 minute ago: ") + 80


async def test_a_suspended_channel_on_which_something_failed_is_to_be_mended_first(
    bots: Bots, alice: Account
) -> None:
    [by_mail] = await failed_deliveries(alice, bots.clock, "sale")
    await failed_deliveries(alice, bots.clock, "bug", channel="discord")
    for channel in ("discord", "email"):
        await suspend(alice, channel)

    both = texts(await bots.commands.failed(ALICE))
    retried = texts(await bots.commands.retry(ALICE, f"retry:{by_mail}"))

    on_discord = "⚠️ Discord is suspended: Nobody is there. Link it again first."
    assert both[:3] == [
        "2 deliveries failed:",
        on_discord,
        "⚠️ E-mail is suspended: Nobody is there. Switch it on again first.",
    ]
    assert both[3].startswith("1. 🐛 bug")
    assert retried[1:3] == ["1 delivery failed:", on_discord]
    assert retried[3].startswith("1. 🐛 bug")


async def test_of_several_accounts_the_suspended_one_is_named(
    bots: Bots, alice: Account, bea: Account
) -> None:
    await link_chat(bea, "discord", bots.clock, ALICE.user_id)
    for account in (alice, bea):
        await failed_deliveries(account, bots.clock, "sale")
    await suspend(bea, "email")

    _, hint, first, *_ = texts(await bots.commands.failed(ALICE))

    assert hint == "⚠️ E-mail of bea@example.com is suspended: Nobody is there. Switch it on again first."
    assert first.startswith("1. ")


async def test_a_removed_category_and_one_without_emoji_are_shown_plain(bots: Bots, alice: Account) -> None:
    await failed_deliveries(alice, bots.clock, "sale", "bug")
    await Category.filter(account_id=alice.id, name="sale").delete()
    await Category.filter(account_id=alice.id, name="bug").update(emoji=None)

    reply = await bots.commands.failed(ALICE)

    assert texts(reply)[1::2] == ["1. bug – Something about bug", "2. sale – Something about sale"]


async def test_a_notice_that_failed_is_listed_too(bots: Bots, alice: Account) -> None:
    await post_notice(alice.id, "Telegram is suspended.", only="email", now=bots.clock.now())
    await Delivery.all().update(status="failed")

    reply = await bots.commands.failed(ALICE)

    assert texts(reply)[1:] == [
        "1. 🔔 PingPilot – Telegram is suspended.",
        "E-mail, just now: no reason given",
    ]


async def linked_account(bots: Bots, email: str, user: ChatUser) -> Account:
    account = await new_account(bots.clock, email, channels=["email"])
    await link_chat(account, user.channel, bots.clock, user.user_id)
    assert await Destination.filter(account_id=account.id, enabled=True).count() == 2
    return account


async def suspend(account: Account, channel: str) -> None:
    row = Destination.filter(account_id=account.id, channel=channel)
    assert await row.update(suspended_reason="Nobody is there.")


def texts(reply: Reply) -> list[str]:
    """Return the lines without markup."""
    return [Reply((line,)).headline for line in reply.lines]


def buttons(reply: Reply) -> dict[str, str]:
    return {action.label: action.id for action in reply.actions}


async def states(deliveries: list[int]) -> list[Any]:
    return await Delivery.filter(id__in=deliveries).order_by("id").values_list("status", flat=True)
