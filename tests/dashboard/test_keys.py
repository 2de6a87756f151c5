"""API keys on the dashboard: shown once, rotated with an overlap, revoked; nobody else's."""

import re
from datetime import timedelta

import pytest

from models import Account, ApiKey
from tests.http.api import ON_SQLITE, Api
from tests.support.clock import ManualClock

from .people import Person, text_of

PATH = "/settings/keys"


def key_in(page: str) -> str:
    """Return the key that a page shows."""
    [key] = set(re.findall(r"pp_[0-9A-Za-z]{43}", page))
    return str(key)


async def test_a_new_key_is_shown_once_and_sends_events(api: Api, person: Person, ada: Account) -> None:
    await person.sign_in(ada)

    made = await person.post(
        PATH, {"do": "create", "name": "web server", "scope": "send", "category": "sale"}
    )
    key = key_in(made.text)
    sold, crashed = [
        await api.call(
            "POST",
            "/api/v1/event",
            headers={"Authorization": f"Bearer {key}"},
            data=f'{{"category": "{category}"}}'.encode(),
        )
        for category in ("sale", "bug")
    ]

    assert (sold.status, crashed.status) == (200, 403)
    assert key not in (await person.get(PATH)).text
    assert "may only send events of sale" in text_of(await person.get(PATH))
    assert made.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("overlap", "accepted"), [("24h", [200, 200]), ("0", [401, 200])])
async def test_a_key_is_rotated_with_an_overlap(
    api: Api, person: Person, clock: ManualClock, overlap: str, accepted: list[int]
) -> None:
    program = await api.sign_up("ada@example.com")
    await person.sign_in(program.account)
    old = await ApiKey.get(account_id=program.account.id)

    rotated = await person.post(PATH, {"do": "rotate", "key": str(old.id), "overlap": overlap})
    replies = [
        await api.call("GET", "/api/v1/quota", headers={"Authorization": f"Bearer {key}"})
        for key in (program.key, key_in(rotated.text))
    ]

    assert [each.status for each in replies] == accepted
    if overlap != "0":
        clock.advance(timedelta(days=1))
        assert (await program.get("/api/v1/quota")).status == 401


async def test_a_spare_key_is_revoked_and_the_last_one_that_manages_stays(
    person: Person, ada: Account
) -> None:
    await person.sign_in(ada)
    first = await ApiKey.get(account_id=ada.id)
    kept = await person.post(PATH, {"do": "revoke", "key": str(first.id)})
    await person.post(PATH, {"do": "create", "name": "second", "scope": "manage"})

    gone = await person.post(PATH, {"do": "revoke", "key": str(first.id)})

    assert kept.status == 400
    assert "is the last that can manage this account" in text_of(kept)
    assert gone.status == 303
    assert (await ApiKey.get(id=first.id)).revoked_at is not None


async def test_another_accounts_keys_are_out_of_reach(person: Person, ada: Account, eve: Account) -> None:
    await person.sign_in(eve)
    key = await ApiKey.get(account_id=ada.id)

    answers = [
        await person.post(PATH, {"do": do, "key": str(key.id), "overlap": "0"}) for do in ("rotate", "revoke")
    ]

    assert [each.status for each in answers] == [400, 400]
    assert (await ApiKey.get(id=key.id)).revoked_at is None
    assert await ApiKey.filter(account_id=ada.id).count() == 1


@ON_SQLITE
@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"do": "create", "name": ""}, "A key's name is 1 to 64 printable characters"),
        ({"do": "create", "name": "default"}, "There is a key named 'default' already"),
        ({"do": "create", "name": "x", "scope": "send", "category": "none"}, "There is no category 'none'"),
        ({"do": "rotate", "key": "1", "overlap": "a year"}, "'a year' is not a valid overlap"),
        ({"do": "rotate", "key": "999", "overlap": "0"}, "This account has no such key in force"),
    ],
)
async def test_what_can_not_be_done_is_said_and_changes_nothing(
    person: Person, ada: Account, form: dict[str, str], says: str
) -> None:
    await person.sign_in(ada)

    answer = await person.post(PATH, form)

    assert answer.status == 400
    assert says in text_of(answer)
    assert await ApiKey.all().count() == 1


@ON_SQLITE
async def test_a_form_that_asks_for_nothing_does_nothing(person: Person, ada: Account) -> None:
    await person.sign_in(ada)

    assert (await person.post(PATH, {"do": "?"})).headers["Location"] == "../settings/keys"
    assert (await person.get("/settings")).headers["Location"] == "./settings/destinations"
