"""API keys: their shape, and that nothing but a hash is kept."""

import re

import pytest

from models import ApiKey
from models.database import connection
from pingpilot.authentication import Authenticator
from pingpilot.errors import AlreadyExists, InvalidInput, NotFound
from pingpilot.keys import create_key, key_prefix, list_keys, looks_like_key, new_key, revoke_key
from pingpilot.quota import PlanLimits
from tests.support.accounts import new_account
from tests.support.clock import ManualClock


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


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 65])
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
