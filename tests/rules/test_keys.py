"""API keys: their shape, that nothing but a hash is kept, what they may do, and how they end."""

import asyncio
import re
from datetime import timedelta

import pytest

from models import Account, ApiKey, KeyScope
from models.database import connection
from pingpilot.accounts.callers import Authenticator
from pingpilot.accounts.keys import (
    MOST_KEYS,
    KeyRights,
    LastManageKey,
    TooManyKeys,
    create_key,
    find_key,
    is_manageable,
    key_prefix,
    list_keys,
    looks_like_key,
    new_key,
    revoke_key,
    revoke_spare_key,
    rotate_key,
)
from pingpilot.accounts.quota import PlanLimits
from pingpilot.errors import AlreadyExists, InvalidInput, NotFound
from tests.support.accounts import new_account
from tests.support.clock import ManualClock


async def _connections_for(count: int, account: Account) -> None:
    """Have so many connections open that as many transactions begin at once; SQLite has one."""
    await asyncio.gather(*(list_keys(account) for _ in range(count)))


def test_keys_are_long_random_and_of_one_shape() -> None:
    keys = {new_key() for _ in range(1000)}

    assert len(keys) == 1000
    assert all(re.fullmatch(r"pp_[0-9A-Za-z]{43}", key) and looks_like_key(key) for key in keys)


@pytest.mark.parametrize(
    "text", ["", "pp_", "pp_" + "a" * 42, "pp_" + "a" * 44, "xx_" + "a" * 43, "pp_" + "ä" * 43]
)
def test_anything_else_does_not_look_like_a_key(text: str) -> None:
    assert not looks_like_key(text)


async def test_only_prefix_and_hash_are_stored(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)

    _, key = await create_key(account, "ci", clock.now())

    rows = await connection().execute_query_dict("SELECT * FROM api_keys")
    assert key_prefix(key) in str(rows)
    assert key not in str(rows)
    assert key.removeprefix("pp_")[9:] not in str(rows)


async def test_a_key_belongs_to_its_account_until_it_is_revoked(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    row, key = await create_key(account, "ci", clock.now())
    authenticator = Authenticator(limits=PlanLimits(), clock=clock)

    before = await authenticator.caller_of(key)
    await revoke_key(account, "ci", clock.now())
    after = await authenticator.caller_of(key)

    assert before is not None
    assert (before.account_id, before.key_id) == (account.id, row.id)
    assert after is None


@pytest.mark.parametrize("by", ["id", "name", "prefix"])
async def test_a_key_is_revoked_by_id_name_or_prefix(sqlite: str, clock: ManualClock, by: str) -> None:
    account = await new_account(clock)
    row, key = await create_key(account, "ci", clock.now())
    named = {"id": str(row.id), "name": "ci", "prefix": f"pp_{key_prefix(key)}"}

    await revoke_key(account, named[by], clock.now())

    assert (await ApiKey.get(id=row.id)).revoked_at == clock.now()
    assert (await ApiKey.get(name="default")).revoked_at is None


async def test_revoking_what_is_not_there_says_so(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)

    with pytest.raises(NotFound, match="key list"):
        await revoke_key(account, "ci", clock.now())


async def test_names_of_keys_in_force_are_unique(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    await create_key(account, "ci", clock.now())

    with pytest.raises(AlreadyExists, match="'ci'"):
        await create_key(account, "ci", clock.now())
    await revoke_key(account, "ci", clock.now())
    await create_key(account, "ci", clock.now())

    assert [each.name for each in await list_keys(account)] == ["default", "ci", "ci"]


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 65, "\ud800", "a\u202eb"])
async def test_a_name_must_be_readable(sqlite: str, clock: ManualClock, name: str) -> None:
    account = await new_account(clock)

    with pytest.raises(InvalidInput, match="1 to 64"):
        await create_key(account, name, clock.now())


async def test_the_last_use_is_recorded_once_a_minute(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    row, key = await create_key(account, "ci", clock.now())
    authenticator = Authenticator(limits=PlanLimits(), clock=clock)
    first = clock.now()

    await authenticator.caller_of(key)
    clock.advance_seconds(30)
    await authenticator.caller_of(key)
    within_the_minute = (await ApiKey.get(id=row.id)).last_used_at
    clock.advance_seconds(31)
    await authenticator.caller_of(key)

    assert within_the_minute == first
    assert (await ApiKey.get(id=row.id)).last_used_at == clock.now()


async def test_of_two_that_take_a_name_at_once_one_gets_it(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    await _connections_for(5, account)

    made = await asyncio.gather(
        *(create_key(account, "ci", clock.now()) for _ in range(5)), return_exceptions=True
    )

    assert sum(isinstance(each, AlreadyExists) for each in made) == 4
    assert [each.name for each in await list_keys(account)] == ["default", "ci"]


async def test_a_caller_knows_what_its_key_may_do(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    rights = KeyRights(KeyScope.SEND, ["sale", "bug", "sale"])
    _, key = await create_key(account, "shop", clock.now(), rights)

    caller = await Authenticator(limits=PlanLimits(), clock=clock).caller_of(key)

    assert caller is not None
    assert (caller.scope, caller.categories) == (KeyScope.SEND, ("sale", "bug"))
    assert [caller.may(scope) for scope in (KeyScope.SEND, KeyScope.MANAGE)] == [True, False]
    assert [caller.may_post_to(name) for name in ("sale", "bug", "question", "sal")] == [
        True,
        True,
        False,
        False,
    ]


async def test_a_key_may_do_everything_unless_told_otherwise(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    _, key = await create_key(account, "all", clock.now())

    caller = await Authenticator(limits=PlanLimits(), clock=clock).caller_of(key)

    assert caller is not None
    assert all(caller.may(scope) for scope in KeyScope)
    assert caller.may_post_to("anything")


@pytest.mark.parametrize("rights", [KeyRights(KeyScope.MANAGE, ["sale"]), KeyRights(KeyScope.SEND, [])])
async def test_only_a_send_key_is_kept_to_categories(
    sqlite: str, clock: ManualClock, rights: KeyRights
) -> None:
    account = await new_account(clock)

    with pytest.raises(InvalidInput, match="'send'"):
        await create_key(account, "ci", clock.now(), rights)


async def test_a_key_is_kept_to_categories_of_its_account(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)

    with pytest.raises(NotFound, match="did you mean 'sale'"):
        await create_key(account, "ci", clock.now(), KeyRights(KeyScope.SEND, ["bug", "sales"]))

    assert len(await list_keys(account)) == 1


async def test_the_keys_in_force_are_limited(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    for number in range(MOST_KEYS - 1):
        await create_key(account, f"key {number}", clock.now())

    with pytest.raises(TooManyKeys, match="revoke one"):
        await create_key(account, "one more", clock.now())
    await revoke_key(account, "key 7", clock.now())
    row, _ = await create_key(account, "one more", clock.now())

    assert row.name == "one more"


async def test_a_name_that_means_two_keys_is_not_guessed_at(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    old = await find_key(account, "default", clock.now())
    new = (await rotate_key(account, old.id, timedelta(hours=1), clock.now())).row

    with pytest.raises(InvalidInput, match=f"by its id, {old.id} or {new.id}"):
        await revoke_key(account, "default", clock.now())

    assert (await find_key(account, "default", clock.now(), newest=True)).id == new.id
    assert (await find_key(account, str(old.id), clock.now(), newest=True)).id == old.id


async def test_the_last_key_that_can_manage_stays(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    first = await find_key(account, "default", clock.now())
    await create_key(account, "shop", clock.now(), KeyRights(KeyScope.SEND))

    with pytest.raises(LastManageKey, match="'default'"):
        await revoke_spare_key(account, first.id, clock.now())
    await create_key(account, "another", clock.now())
    await revoke_spare_key(account, first.id, clock.now())

    assert (await ApiKey.get(id=first.id)).revoked_at == clock.now()
    assert await is_manageable(account)


async def test_of_managers_that_are_all_revoked_at_once_one_stays(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    for name in ("b", "c", "d", "e"):
        await create_key(account, name, clock.now())
    keys = await list_keys(account)
    await _connections_for(len(keys), account)

    done = await asyncio.gather(
        *(revoke_spare_key(account, key.id, clock.now()) for key in keys), return_exceptions=True
    )

    assert sum(isinstance(each, LastManageKey) for each in done) == 1
    assert await is_manageable(account)


async def test_a_key_that_was_rotated_does_not_count_as_one_that_stays(
    sqlite: str, clock: ManualClock
) -> None:
    account = await new_account(clock)
    old = await find_key(account, "default", clock.now())
    new = (await rotate_key(account, old.id, timedelta(hours=1), clock.now())).row

    with pytest.raises(LastManageKey):
        await revoke_spare_key(account, new.id, clock.now())
    await revoke_spare_key(account, old.id, clock.now())

    assert [each.revoked_at is None for each in await list_keys(account)] == [False, True]


async def test_a_wrong_key_is_no_use_of_the_one_it_resembles(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    row, key = await create_key(account, "ci", clock.now())

    await Authenticator(limits=PlanLimits(), clock=clock).caller_of(key[:11] + new_key()[11:])

    assert (await ApiKey.get(id=row.id)).last_used_at is None
