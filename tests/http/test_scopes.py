"""What a key may do: each call asks for the scope that it says it does."""

import re

import pytest

from api.app import CALLS
from api.calls import Call
from models import KeyScope
from pingpilot.accounts.categories import remove_category
from pingpilot.accounts.keys import KeyRights, create_key

from .api import ON_SQLITE, SALE, Api, Program

pytestmark = ON_SQLITE

BUG = {"category": "bug"}
UNHEARD_OF = {"category": "unheard-of"}


def path_of(call: Call) -> str:
    return re.sub(r"\{[^}]+\}", "1", call.path)


def those_for(*scopes: KeyScope | None) -> pytest.MarkDecorator:
    calls = [call for call in CALLS if call.scope in scopes]
    return pytest.mark.parametrize("call", calls, ids=lambda call: f"{call.method}-{call.path}")


async def with_key(program: Program, *categories: str) -> Program:
    """Return the program with a new key that may only send events, of all categories or these."""
    rights = KeyRights(KeyScope.SEND, categories or None)
    _, key = await create_key(program.account, "sender", program.api.clock.now(), rights)
    return Program(program.api, program.account, key)


@those_for(KeyScope.MANAGE)
async def test_a_send_key_is_refused_by_what_manages(shop: Program, call: Call) -> None:
    sender = await with_key(shop)

    reply = await sender.call(call.method, path_of(call), data=b"{}")

    assert reply.verdict == (403, "insufficient_scope")
    assert reply.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="manage"'
    assert "'manage'" in reply.body["message"]


@those_for(KeyScope.SEND)
async def test_a_send_key_is_taken_by_what_sends(shop: Program, call: Call) -> None:
    sender = await with_key(shop)

    reply = await sender.call(call.method, path_of(call), data=b"{}")

    assert reply.status not in (401, 403, 404, 405)


@those_for(*KeyScope)
async def test_a_manage_key_is_taken_by_every_call(shop: Program, call: Call) -> None:
    reply = await shop.call(call.method, path_of(call), data=b"{}")

    assert reply.status not in (401, 403, 405)


@those_for(*KeyScope)
async def test_a_call_with_a_scope_refuses_no_key(api: Api, call: Call) -> None:
    reply = await api.call(call.method, path_of(call), data=b"{}")

    assert reply.verdict == (401, "missing_authorization")


@those_for(None)
async def test_a_call_without_a_scope_asks_for_no_key(api: Api, call: Call) -> None:
    reply = await api.call(call.method, path_of(call))

    assert reply.status not in (401, 403)


async def test_a_send_key_may_wait_and_repeat_itself(shop: Program) -> None:
    sender = await with_key(shop)

    first = await sender.post(SALE, Prefer="wait=1", Idempotency_Key="order-1")
    again = await sender.post(SALE, Idempotency_Key="order-1")

    assert (first.status, first.body["deliveryStatus"]) == (200, "NO_CHANNEL")
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_a_key_posts_to_its_categories_alone(shop: Program) -> None:
    sender = await with_key(shop, "sale", "question")

    allowed, refused = await sender.post(SALE), await sender.post(BUG)

    assert allowed.status == 200
    assert refused.verdict == (403, "insufficient_scope")
    assert refused.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
    assert "'sale', 'question'" in refused.body["message"]
    assert await shop.stored_events() == 1


async def test_a_key_does_not_learn_which_other_categories_there_are(shop: Program) -> None:
    sender = await with_key(shop, "sale")

    real, unreal = await sender.post(BUG), await sender.post(UNHEARD_OF)

    assert real.text.replace("bug", "?") == unreal.text.replace("unheard-of", "?")
    assert real.status == unreal.status == 403


async def test_a_key_whose_category_is_gone_is_told_of_no_other(shop: Program) -> None:
    sender = await with_key(shop, "sale")
    await remove_category(shop.account, "sale")

    reply = await sender.post(SALE)

    assert reply.verdict == (404, "category_not_found")
    assert "bug" not in reply.text


@pytest.mark.parametrize("channel", ["discord", "telegram"])
async def test_a_missing_link_names_the_account_to_those_who_manage_it_alone(api: Api, channel: str) -> None:
    shop = await api.sign_up(channels=[channel])
    sender = await with_key(shop)

    managed, sent = await shop.post(), await sender.post()

    assert managed.verdict == sent.verdict
    assert f"`pingpilot link-code --account {shop.account.email}`" in managed.body["message"]
    assert "`pingpilot link-code --account` and the account's address, and" in sent.body["message"]
    assert "@" not in sent.text


async def test_a_wrong_shape_is_answered_before_a_category_that_is_not_allowed(shop: Program) -> None:
    sender = await with_key(shop, "sale")

    reply = await sender.post({**BUG, "fields": {"a": None}})

    assert reply.verdict == (422, "validation_error")


async def test_a_category_that_is_not_allowed_is_answered_before_a_missing_link(api: Api) -> None:
    sender = await with_key(await api.sign_up(channels=["discord"]), "sale")

    refused, unlinked = await sender.post(BUG), await sender.post(SALE)

    assert refused.verdict == (403, "insufficient_scope")
    assert unlinked.verdict == (403, "discord_id_not_set")
