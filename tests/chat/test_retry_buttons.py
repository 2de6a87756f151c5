"""The buttons of `/failed` as each platform draws them, over the real protocols."""

import pytest
import structlog

from models import Account, Delivery, DeliveryAttempt
from models.database import connection
from pingpilot.events.deliveries import Selection, retry_deliveries
from tests.support.accounts import new_account
from tests.support.failures import REASON, failed_deliveries

from .bots import Bots, OnDiscord, OnTelegram, Person, as_read
from .test_answers import CRASHED
from .test_linking_a_chat import linked

NOTHING_FAILED = "No failed deliveries."
RETRIED = "🔁 Trying again: sale on E-mail."
GONE = "That delivery no longer exists."
MARKUP = "<b>*b*_i_~s~||h||`c`[x](http://evil.example)&amp; <@81384788765712384> @everyone #1"


async def test_where_nothing_failed_there_is_no_button(person: Person, mailed: Account, bots: Bots) -> None:
    await linked(mailed, person, bots)

    assert await person.ask("/failed") == NOTHING_FAILED
    assert person.buttons == {}


async def test_a_pressed_button_retries_and_shows_what_is_left(
    person: Person, mailed: Account, bots: Bots
) -> None:
    await linked(mailed, person, bots)
    bug, sale = await failed_deliveries(mailed, bots.clock, "bug", "sale")

    listed, offered = await person.ask("/failed"), person.buttons
    one_left, still_offered = await person.press("Retry 1"), person.buttons
    none_left = await person.press("Retry 1")

    assert listed.splitlines()[:2] == ["2 deliveries failed:", "1. 💰 sale – Something about sale"]
    assert list(offered) == ["Retry 1", "Retry 2", "Retry all"]
    assert one_left.splitlines()[:3] == [
        RETRIED,
        "1 delivery failed:",
        "1. 🐛 bug – Something about bug",
    ]
    assert list(still_offered) == ["Retry 1"]
    assert none_left.splitlines() == ["🔁 Trying again: bug on E-mail.", NOTHING_FAILED]
    assert person.buttons == {}
    assert await Delivery.filter(id__in=[bug, sale], status="pending").count() == 2
    assert bots.woken == [person.channel, "email", "email"]  # the first by linking


async def test_all_are_retried_at_once_and_keep_their_histories(
    person: Person, mailed: Account, bots: Bots
) -> None:
    await linked(mailed, person, bots)
    await failed_deliveries(mailed, bots.clock, "bug", "sale")

    await person.ask("/failed")
    shown = await person.press("Retry all")

    assert shown.splitlines() == ["🔁 Trying 2 deliveries again.", NOTHING_FAILED]
    assert [each.reason for each in await DeliveryAttempt.all()] == [REASON, REASON]


async def test_an_old_button_finds_what_was_retried_elsewhere(
    person: Person, mailed: Account, bots: Bots
) -> None:
    await linked(mailed, person, bots)
    await failed_deliveries(mailed, bots.clock, "sale")
    await person.ask("/failed")

    await retry_deliveries(Selection(mailed.id), bots.clock.now())
    shown = await person.press("Retry 1")

    assert shown.splitlines() == ["Already on its way: sale on E-mail.", NOTHING_FAILED]


async def test_the_deliveries_of_another_are_out_of_reach(
    person: Person, mailed: Account, bots: Bots
) -> None:
    friend, bea = person.friend(), await new_account(bots.clock, "bea@example.com", channels=["email"])
    await linked(bea, friend, bots)
    await linked(mailed, person, bots)
    [failed] = await failed_deliveries(mailed, bots.clock, "sale")

    nothing = await friend.ask("/failed")
    forged = [await friend.forge(f"retry:{failed}"), await friend.forge("retry:all")]

    assert nothing == NOTHING_FAILED
    assert [text.splitlines() for text in forged] == [
        [GONE, NOTHING_FAILED],
        ["There was nothing left to retry.", NOTHING_FAILED],
    ]
    assert (await Delivery.get(id=failed)).status == "failed"


async def test_somebody_who_is_not_linked_presses_in_vain(
    person: Person, mailed: Account, bots: Bots
) -> None:
    await linked(mailed, person, bots)
    [failed] = await failed_deliveries(mailed, bots.clock, "sale")
    await person.ask("/failed")
    await person.ask("/unlink")
    await person.ask("/help")

    shown = await person.forge(f"retry:{failed}")

    assert shown.startswith("This chat is not linked to an account yet.")
    assert (await Delivery.get(id=failed)).status == "failed"


async def test_texts_full_of_markup_read_as_they_are(person: Person, mailed: Account, bots: Bots) -> None:
    await linked(mailed, person, bots)
    [failed] = await failed_deliveries(mailed, bots.clock, "sale", description=MARKUP[:60])
    await Delivery.filter(id=failed).update(last_error=MARKUP[20:])

    listed = await person.ask("/failed")

    assert listed.splitlines()[1:] == [
        f"1. 💰 sale – {MARKUP[:60]}",
        f"E-mail, 1 minute ago: {MARKUP[20:]}",
    ]


async def test_a_full_list_of_the_worst_texts_is_taken(person: Person, mailed: Account, bots: Bots) -> None:
    await linked(mailed, person, bots)
    await failed_deliveries(mailed, bots.clock, *["sale"] * 12, description="*'" * 200)
    await Delivery.filter(account_id=mailed.id, channel="email").update(last_error="_\"'" * 200)

    listed = await person.ask("/failed")

    assert listed.startswith("12 deliveries failed. The newest are:")
    assert list(person.buttons) == [*(f"Retry {number}" for number in range(1, 9)), "Retry all"]


async def test_a_press_that_crashes_says_a_sentence_and_leaves_the_button(
    person: Person, mailed: Account, bots: Bots
) -> None:
    await linked(mailed, person, bots)
    await failed_deliveries(mailed, bots.clock, "sale")
    await person.ask("/failed")
    button = person.buttons["Retry 1"]
    await connection().execute_script("ALTER TABLE deliveries RENAME TO elsewhere")

    with structlog.testing.capture_logs() as log:
        said = await crashed(person, button)
    await connection().execute_script("ALTER TABLE elsewhere RENAME TO deliveries")

    assert said == CRASHED
    assert [each["event"] for each in log] == ["A bot command crashed"]
    assert (await pressed_again(person, button)).startswith(RETRIED)


async def crashed(person: Person, button: str) -> str:
    """Press, and return what is said beside the list."""
    if isinstance(person, OnDiscord):
        with pytest.raises(AssertionError):  # another message
            await person.forge(button)
        return person.stand_in.replies[-1].content
    assert isinstance(person, OnTelegram)
    assert await person.stand_in.press(person.user, button, person.latest) == []
    assert person.stand_in.answers[-1].show_alert
    return person.stand_in.answers[-1].text or ""


async def pressed_again(person: Person, button: str) -> str:
    if isinstance(person, OnDiscord):
        return as_read((await person.stand_in.press(person.user, button)).content)
    return await person.forge(button)
