"""Categories: names, colours, emoji, and what is told of them."""

import pytest

from models import Category
from pingpilot.accounts.categories import (
    add_category,
    is_one_emoji,
    remove_category,
    report_categories,
    unknown_category,
)
from pingpilot.errors import AlreadyExists, InvalidInput, NotFound
from tests.support.accounts import new_account
from tests.support.clock import ManualClock
from tests.support.events import accept


async def test_a_category_is_added_with_its_looks(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)

    await add_category(account, "new-user", color="#AABBCC", emoji="👩‍💻", now=clock.now())

    added = await Category.get(account_id=account.id, name="new-user")
    assert (added.color, added.emoji) == ("#aabbcc", "👩‍💻")


@pytest.mark.parametrize("name", ["", "Sale", "a b", "ä", "x" * 65, "a_b", "a\n"])
async def test_a_name_that_is_not_plain_is_refused(sqlite: str, clock: ManualClock, name: str) -> None:
    account = await new_account(clock)

    with pytest.raises(InvalidInput, match="1 to 64 of a-z"):
        await add_category(account, name, color="#ffffff", emoji=None, now=clock.now())


@pytest.mark.parametrize("color", ["", "red", "#fff", "#gggggg", "ffffff", "#ffffff\n"])
async def test_a_colour_that_is_none_is_refused(sqlite: str, clock: ManualClock, color: str) -> None:
    account = await new_account(clock)

    with pytest.raises(InvalidInput, match="six hexadecimal digits"):
        await add_category(account, "new", color=color, emoji=None, now=clock.now())


async def test_what_is_no_emoji_is_refused(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)

    with pytest.raises(InvalidInput, match="one emoji"):
        await add_category(account, "new", color="#ffffff", emoji="x", now=clock.now())


@pytest.mark.parametrize(
    "text", ["🐛", "❤️", "☎️", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪", "1️⃣", "#️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏳️‍🌈", "©️", "ℹ️", "⌚", "♻️", "🫠"]
)
def test_one_emoji_is_one(text: str) -> None:
    assert is_one_emoji(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "1", "#", "+", " ", "…", "½", "é", "<b>", "\u200d", "️"),
        *("🐛🐛", "🐛a", "🇩🇪🇫🇷", "🇩", "🏽" * 9),
        *("☎", "❤", "©", "#⃣", "🐛\ufe0e"),  # shown as text without U+FE0F, or with U+FE0E
        *("🐛\n", "🐛\u0301", "🐛\u200d", "🐛\u200d" * 6 + "🐛"),
    ],
)
def test_anything_else_is_no_emoji(text: str) -> None:
    assert not is_one_emoji(text)


async def test_a_name_is_unique_within_an_account_only(database: str, clock: ManualClock) -> None:
    alice, bob = await new_account(clock), await new_account(clock, "bob@example.com")
    await add_category(alice, "new", color="#ffffff", emoji=None, now=clock.now())

    await add_category(bob, "new", color="#ffffff", emoji=None, now=clock.now())
    with pytest.raises(AlreadyExists, match="'new'"):
        await add_category(alice, "new", color="#ffffff", emoji=None, now=clock.now())


async def test_a_removed_category_is_gone_for_its_account(database: str, clock: ManualClock) -> None:
    alice, bob = await new_account(clock), await new_account(clock, "bob@example.com")

    await remove_category(alice, "sale")

    assert not await Category.exists(account_id=alice.id, name="sale")
    assert await Category.exists(account_id=bob.id, name="sale")


async def test_removing_what_is_not_there_names_the_nearest(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)

    with pytest.raises(NotFound, match="did you mean 'sale'"):
        await remove_category(account, "sales")


async def test_far_from_every_name_all_are_listed(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)

    sentence = await unknown_category(account.id, "zzz")

    assert sentence == "There is no category 'zzz': the account has 'bug', 'question' and 'sale'."


async def test_the_report_counts_this_month_and_knows_the_last_event(
    database: str, clock: ManualClock
) -> None:
    account = await new_account(clock)
    await accept(account, clock, "sale", "sale", "bug")
    last_bug = clock.now()
    clock.advance_days(10)  # into the next month
    await accept(account, clock, "sale")

    bug, question, sale = await report_categories(account, clock.now())

    assert (bug.events_this_month, bug.last_event_at) == (0, last_bug)
    assert (question.events_this_month, question.last_event_at) == (0, None)
    assert (sale.events_this_month, sale.last_event_at) == (1, clock.now())
