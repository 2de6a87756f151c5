"""What the bots tell: categories, quota, help, and a sentence where something broke."""

from datetime import timedelta

import pytest
import structlog

from bots.commands import MENU
from models import Account, Category, Destination, MonthlyUsage, Plan
from models.database import connection
from pingpilot.accounts.sign_in import MOST_LINKS, account_behind, new_sign_in_link
from tests.support.accounts import new_account
from tests.support.events import accept

from .bots import Bots, OnDiscord, OnTelegram, Person
from .test_linking_a_chat import linked

CRASHED = "Something went wrong on our side. Please try again in a moment."


async def test_categories_come_with_their_counts_and_last_events(
    person: Person, alice: Account, bots: Bots
) -> None:
    await linked(alice, person, bots)
    await Category.filter(account_id=alice.id, name="question").update(emoji=None)
    await accept(alice, bots.clock, "bug", "bug", "sale")
    bots.clock.advance(timedelta(hours=2))
    await accept(alice, bots.clock, "sale")
    bots.clock.advance(timedelta(minutes=5))

    reply = await person.ask("/categories")

    assert reply.splitlines() == [
        "alice@example.com",
        "🐛 bug – 2 this month, last 2 hours ago",
        "question – 0 this month",
        "💰 sale – 2 this month, last 5 minutes ago",
    ]


async def test_an_account_without_categories_is_told_how_to_add_one(
    person: Person, alice: Account, bots: Bots
) -> None:
    await linked(alice, person, bots)
    await Category.filter(account_id=alice.id).delete()

    reply = await person.ask("/categories")

    assert reply.splitlines() == ["alice@example.com", "No categories yet. Add one: pingpilot category add"]


async def test_more_categories_than_a_message_holds_are_counted(
    person: Person, alice: Account, bots: Bots
) -> None:
    await linked(alice, person, bots)
    for number in range(150):
        name = f"{number:03}-{'x' * 60}"
        await Category.create(
            account_id=alice.id, name=name, color="#ff0000", emoji="🧑‍🚀", created_at=bots.clock.now()
        )

    lines = (await person.ask("/categories")).splitlines()

    assert lines[1].startswith("🧑‍🚀 000-")
    assert lines[-1] == f"… and {1 + 150 + 3 - (len(lines) - 1)} more lines"


async def test_the_quota_shows_what_is_used_and_when_it_starts_anew(
    person: Person, alice: Account, bots: Bots
) -> None:
    alice.monthly_events = 1000
    await alice.save()
    await linked(alice, person, bots)
    await accept(alice, bots.clock, *["sale"] * 3)
    await set_used(alice, 300)

    reply = await person.ask("/quota")

    assert reply.splitlines() == [
        "alice@example.com",
        "▰▰▰▱▱▱▱▱▱▱ 30%",
        "300 of 1,000 events used (free plan), 700 left",
        "Resets on 1 December 2026 (UTC)",
    ]


@pytest.mark.parametrize(
    ("used_of", "shown"),
    [
        ((0, 100), ["▱▱▱▱▱▱▱▱▱▱ 0%", "0 of 100 events used (free plan), 100 left"]),
        ((100, 100), ["▰▰▰▰▰▰▰▰▰▰ 100%", "100 of 100 events used (free plan), 0 left"]),
        ((120, 100), ["▰▰▰▰▰▰▰▰▰▰ 100%", "120 of 100 events used (free plan), 0 left"]),
        ((0, 0), ["▰▰▰▰▰▰▰▰▰▰ 100%", "0 of 0 events used (free plan), 0 left"]),
    ],
)
async def test_the_bar_never_lies(
    on_telegram: OnTelegram, alice: Account, bots: Bots, used_of: tuple[int, int], shown: list[str]
) -> None:
    used, alice.monthly_events = used_of
    await alice.save()
    await linked(alice, on_telegram, bots)
    await set_used(alice, used)

    reply = await on_telegram.ask("/quota")

    assert reply.splitlines()[1:3] == shown


async def test_a_quota_that_is_nearly_used_up_says_whom_to_ask(
    person: Person, alice: Account, bots: Bots
) -> None:
    alice.monthly_events = 10
    await alice.save()
    await linked(alice, person, bots)
    await set_used(alice, 8)

    reply = await person.ask("/quota")

    assert reply.splitlines()[-1] == "For more, ask whoever runs this server."


async def test_an_account_whose_events_go_nowhere_is_told_with_its_quota(
    person: Person, alice: Account, bots: Bots
) -> None:
    await linked(alice, person, bots)
    await Destination.filter(channel=person.channel).update(enabled=False)

    reply = await person.ask("/quota")

    assert reply.splitlines()[1] == "⚠️ No channel can be used: new events are stored, and go nowhere."


async def test_an_account_without_a_limit_says_so(person: Person, bots: Bots) -> None:
    large = await new_account(bots.clock, "large@example.com", plan=Plan.ENTERPRISE)
    await linked(large, person, bots)
    await set_used(large, 12_345)

    reply = await person.ask("/quota")

    assert reply.splitlines() == ["large@example.com", "12,345 events this month, no limit (enterprise plan)"]


async def test_the_dashboard_is_a_link_that_signs_in_once(person: Person, alice: Account, bots: Bots) -> None:
    not_linked = await person.ask("/dashboard")
    await linked(alice, person, bots)

    reply = await person.ask("/dashboard")

    link, _ = reply.splitlines()
    token = link.removeprefix("alice@example.com: http://localhost:8080/sign-in/")
    account = await account_behind(token, bots.clock.now())
    assert "not linked to an account yet" in not_linked
    assert account == alice


async def test_an_account_gets_no_link_after_many(person: Person, alice: Account, bots: Bots) -> None:
    await linked(alice, person, bots)
    for _ in range(MOST_LINKS):
        await new_sign_in_link(alice, "", bots.clock.now())

    reply = await person.ask("/dashboard")

    assert "This account got 10 sign-in links in the last 10 minutes" in reply


async def test_help_lists_every_command_and_the_linked_account(
    person: Person, alice: Account, bots: Bots
) -> None:
    await linked(alice, person, bots)

    reply = await person.ask("/help")

    for command in MENU:
        assert f"/{command.name}" in reply
        assert command.description in reply
    assert "Linked to alice@example.com." in reply.splitlines()


async def test_an_address_full_of_markup_reads_as_it_is(person: Person, bots: Bots) -> None:
    email = "_a*b*~c|d|&lt;`e`_@example.com"
    tricky = await new_account(bots.clock, email.replace(";", ""))
    await linked(tricky, person, bots)

    replies = [await person.ask(command) for command in ("/quota", "/help", "/unlink")]

    assert all("_a*b*~c|d|&lt`e`_@example.com" in reply for reply in replies)


async def test_what_a_user_types_is_echoed_without_effect(person: Person, alice: Account, bots: Bots) -> None:
    await linked(alice, person, bots)

    reply = await person.ask("/unlink <b>*x*_y_</b>&amp;<@1>")

    assert reply == "This chat is not linked to <b>*x*_y_</b>&amp;<@1>."


async def test_a_command_that_crashes_says_a_sentence_and_the_next_one_works(
    person: Person, alice: Account, bots: Bots
) -> None:
    await linked(alice, person, bots)
    await connection().execute_script("ALTER TABLE category_usage RENAME TO elsewhere")

    with structlog.testing.capture_logs() as log:
        crashed = await person.ask("/categories")
    helped = await person.ask("/help")
    await connection().execute_script("ALTER TABLE elsewhere RENAME TO category_usage")
    mended = await person.ask("/categories")

    assert crashed == CRASHED
    assert [(each["event"], each["log_level"]) for each in log] == [("A bot command crashed", "error")]
    assert "Linked to" in helped
    assert "this month" in mended


async def test_markup_stands_out_on_discord(on_discord: OnDiscord, alice: Account, bots: Bots) -> None:
    await linked(alice, on_discord, bots)

    reply = await on_discord.stand_in.command(on_discord.user, "/help")

    assert "**alice@example.com**" in reply.content
    assert "`/link CODE`" in reply.content


async def test_markup_stands_out_on_telegram(on_telegram: OnTelegram, alice: Account, bots: Bots) -> None:
    await linked(alice, on_telegram, bots)

    [reply] = await on_telegram.stand_in.say(on_telegram.user, "/help")

    assert "<b>alice@example.com</b>" in reply.html
    assert "<code>/link CODE</code>" in reply.html


async def set_used(account: Account, events: int) -> None:
    """Let the account have used so many events this month."""
    await MonthlyUsage.update_or_create(defaults={"events": events}, account_id=account.id, month="2026-11")
