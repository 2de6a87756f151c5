"""Linking: codes work once and for a short time, guesses are limited, keys work too."""

import asyncio
import re
from datetime import timedelta

import pytest

from models import Account, AccountChannel, Fact, KeyScope, LinkCode, LinkGuess
from models.database import connection
from pingpilot.accounts.accounts import channels_of
from pingpilot.accounts.keys import KeyRights, create_key, new_key, revoke_key, rotate_key
from pingpilot.accounts.linking import (
    TELEGRAM_USERNAME,
    ChatUser,
    accounts_of,
    create_link_code,
    link,
    unlink,
)
from pingpilot.accounts.quiet_hours import mute
from pingpilot.errors import LinkRefused
from tests.support.accounts import new_account
from tests.support.clock import ManualClock

ALICE = ChatUser("telegram", "5550001111", "alice")
BOB = ChatUser("telegram", "5550002222", "bob")


async def _link(user: ChatUser, code: str, clock: ManualClock) -> Account:
    return (await link(user, code, address=user.user_id, now=clock.now())).account


async def test_a_code_links_the_chat_and_switches_the_channel_on(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    new = await create_link_code(account, clock.now())

    linked = await _link(ALICE, new.code, clock)

    _, telegram, _ = await channels_of(account)
    assert linked.id == account.id
    assert (telegram.enabled, telegram.address, telegram.user_id) == (True, "5550001111", "5550001111")
    assert [each.id for each in await accounts_of("telegram", "5550001111")] == [account.id]


async def test_a_code_is_short_plain_and_kept_as_a_hash(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)

    new = await create_link_code(account, clock.now())

    assert re.fullmatch("[2-9A-HJKMNP-Z]{8}", new.code)
    assert (new.expires_at - clock.now()).total_seconds() == 600
    assert new.code not in str(await connection().execute_query_dict("SELECT * FROM link_codes"))


async def test_a_code_may_be_typed_carelessly(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    code = (await create_link_code(account, clock.now())).code

    linked = await _link(ALICE, f" {code[:4].lower()}-{code[4:]} ", clock)

    assert linked.id == account.id


async def test_the_deep_link_names_the_bot_once_it_is_known(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)

    before = await create_link_code(account, clock.now())
    await Fact.keep(TELEGRAM_USERNAME, "pingpilot_bot")
    after = await create_link_code(account, clock.now())

    assert before.telegram_url is None
    assert after.telegram_url == f"https://t.me/pingpilot_bot?start={after.code}"


async def test_a_code_works_once(database: str, clock: ManualClock) -> None:
    code = (await create_link_code(await new_account(clock), clock.now())).code
    await _link(ALICE, code, clock)

    with pytest.raises(LinkRefused, match="used already"):
        await _link(BOB, code, clock)

    assert not await accounts_of("telegram", BOB.user_id)


async def test_a_code_expires(database: str, clock: ManualClock) -> None:
    code = (await create_link_code(await new_account(clock), clock.now())).code
    clock.advance_seconds(600)

    with pytest.raises(LinkRefused, match="expired"):
        await _link(ALICE, code, clock)


async def test_an_unknown_code_is_not_right(sqlite: str, clock: ManualClock) -> None:
    with pytest.raises(LinkRefused, match="not right"):
        await _link(ALICE, "ABCD2345", clock)


async def test_guesses_are_limited_for_a_user_and_an_hour(database: str, clock: ManualClock) -> None:
    code = (await create_link_code(await new_account(clock), clock.now())).code
    for _ in range(10):
        with pytest.raises(LinkRefused, match="not right"):
            await _link(ALICE, "WRONG234", clock)

    with pytest.raises(LinkRefused, match="too many"):
        await _link(ALICE, code, clock)
    assert (await _link(BOB, code, clock)).email == "alice@example.com"


async def test_many_guesses_at_once_are_no_more_than_one_after_another(
    database: str, clock: ManualClock
) -> None:
    tries = [_link(ALICE, f"WRNG{number:04}", clock) for number in range(1000, 1100)]

    answers = [str(each) for each in await asyncio.gather(*tries, return_exceptions=True)]

    # PostgreSQL takes them one after another, and on a busy machine some wait for too long
    refused = ("too many wrong codes", "did not answer within")
    judged = [each for each in answers if not any(words in each for words in refused)]
    assert 0 < len(judged) <= 10
    assert all("not right" in each for each in judged)
    assert await LinkGuess.all().count() <= 10


async def test_right_codes_are_no_guesses(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    for _ in range(12):
        code = (await create_link_code(account, clock.now())).code
        await _link(ALICE, code, clock)
        clock.advance_seconds(61)

    assert await LinkGuess.all().count() == 0


async def test_after_an_hour_guesses_are_forgotten(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    for _ in range(10):
        with pytest.raises(LinkRefused):
            await _link(ALICE, "WRONG234", clock)
    clock.advance_seconds(3601)
    code = (await create_link_code(account, clock.now())).code

    linked = await _link(ALICE, code, clock)

    assert linked.id == account.id


async def test_an_api_key_links_until_it_is_revoked(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    _, key = await create_key(account, "phone", clock.now())

    linked = await _link(ALICE, key, clock)
    await revoke_key(account, "phone", clock.now())

    assert linked.id == account.id
    for refused in (key, new_key()):
        with pytest.raises(LinkRefused, match="API key is not valid"):
            await _link(BOB, refused, clock)


async def test_a_key_that_was_rotated_links_until_the_overlap_ends(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    row, old = await create_key(account, "phone", clock.now())
    new = (await rotate_key(account, row.id, timedelta(hours=1), clock.now())).key

    clock.advance_seconds(3599)
    within = await _link(ALICE, old, clock)
    clock.advance_seconds(1)
    with pytest.raises(LinkRefused, match="API key is not valid"):
        await _link(BOB, old, clock)

    assert (within.id, (await _link(BOB, new, clock)).id) == (account.id, account.id)


async def test_a_key_that_may_only_send_redirects_no_notification(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    await _link(ALICE, (await create_link_code(account, clock.now())).code, clock)
    _, key = await create_key(account, "shop", clock.now(), KeyRights(KeyScope.SEND))

    with pytest.raises(LinkRefused, match="may only send events"):
        await _link(BOB, key, clock)

    assert not await accounts_of("telegram", BOB.user_id)
    assert len(await accounts_of("telegram", ALICE.user_id)) == 1


async def test_a_chat_may_serve_several_accounts(database: str, clock: ManualClock) -> None:
    for email in ("one@example.com", "two@example.com"):
        account = await new_account(clock, email)
        await _link(ALICE, (await create_link_code(account, clock.now())).code, clock)

    emails = [each.email for each in await accounts_of("telegram", ALICE.user_id)]

    assert emails == ["one@example.com", "two@example.com"]


async def test_unlinking_forgets_the_chat_and_switches_the_channel_off(
    database: str, clock: ManualClock
) -> None:
    account = await new_account(clock)
    await _link(ALICE, (await create_link_code(account, clock.now())).code, clock)

    first = await unlink(account, "telegram", clock.now())
    second = await unlink(account, "telegram", clock.now())

    row = await AccountChannel.get(account_id=account.id, channel="telegram")
    assert (first, second) == (True, False)
    assert not row.enabled
    assert {row.address, row.user_id, row.username} == {None}


async def test_a_mute_ends_with_its_chat(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    await _link(ALICE, (await create_link_code(account, clock.now())).code, clock)
    await mute(account, "telegram", clock.now() + timedelta(days=30), now=clock.now())

    await _link(BOB, (await create_link_code(account, clock.now())).code, clock)

    assert (await AccountChannel.get(account_id=account.id, channel="telegram")).muted_until is None


async def test_linking_lifts_a_suspension(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    await _link(ALICE, (await create_link_code(account, clock.now())).code, clock)
    await AccountChannel.suspend(account.id, "telegram", address=ALICE.user_id, reason="Blocked.")

    await _link(ALICE, (await create_link_code(account, clock.now())).code, clock)

    assert (await AccountChannel.get(account_id=account.id, channel="telegram")).suspended_reason is None


async def test_old_codes_are_swept_away(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    await create_link_code(account, clock.now())
    clock.advance_days(2)

    await create_link_code(account, clock.now())

    assert await LinkCode.all().count() == 1
