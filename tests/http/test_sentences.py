"""What the table of errors publishes is what the API says: each sentence, provoked by a real request."""

import gzip
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from multidict import CIMultiDict

from api.addresses import TrustedProxies
from api.cors import Cors
from api.errors import codes, example_of
from models import Account, ApiKey, Category, Destination, KeyScope
from models.database import connection
from pingpilot.accounts.accounts import suspend_account
from pingpilot.accounts.categories import MOST_CATEGORIES
from pingpilot.accounts.destinations import MOST_DESTINATIONS
from pingpilot.accounts.keys import MOST_KEYS, KeyRights, create_key
from pingpilot.events.notices import MOST_TESTS, post_test
from pingpilot.telemetry.health import State

from .api import EVENT, ON_SQLITE, SALE, Program, Reply

ALL_NAMES = [
    name
    for code, record in codes().items()
    for name in (code, *(f"{code}/{variant}" for variant in record.variants))
]
UNLINKED = {"discord_id_not_set": "discord", "telegram_username_not_set": "telegram"}
CATEGORIES, KEYS = "/api/v1/categories", "/api/v1/keys"
DESTINATIONS = "/api/v1/destinations"
TEAM = {"name": "team", "channel": "email", "address": "team@example.com"}
Provoke = Callable[[Program], Awaitable[Reply]]


def asking(method: str, path: str, body: Any = None, **headers: str) -> Provoke:
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    return lambda shop: shop.call(
        method, path, headers={name.replace("_", "-"): text for name, text in headers.items()}, data=data
    )


def posting(body: bytes, **headers: str) -> Provoke:
    return asking("POST", EVENT, body, **headers)


async def with_key_for(shop: Program, *categories: str) -> Program:
    """Return the shop with a key that may only send, to these categories where some are named."""
    rights = KeyRights(KeyScope.SEND, categories or None)
    _, key = await create_key(shop.account, "sender", shop.api.clock.now(), rights)
    return Program(shop.api, shop.account, key)


async def without_key(shop: Program) -> Reply:
    return await shop.api.call("GET", KEYS)


async def after_many_bad_keys(shop: Program) -> Reply:
    for number in range(40):
        reply = await shop.api.call("GET", KEYS, headers={"Authorization": f"Bearer {number}"})
    return reply


async def for_an_eleventh_code(shop: Program) -> Reply:
    for _ in range(11):
        reply = await shop.ask("POST", "/api/v1/link-codes")
    return reply


async def with_the_key_in_the_address(shop: Program) -> Reply:
    return await shop.api.call("GET", f"{KEYS}?key={shop.key}")


async def with_a_key_that_only_sends(shop: Program) -> Reply:
    return await (await with_key_for(shop)).get(KEYS)


async def with_a_key_that_manages_in_a_web_page(shop: Program) -> Reply:
    shop.api.services.cors = Cors(("https://shop.example",))
    return await shop.post(SALE, Origin="https://shop.example")


async def of_a_suspended_account(shop: Program) -> Reply:
    await suspend_account(shop.account, shop.api.clock.now())
    return await shop.post(SALE)


async def with_a_header_that_comes_twice(shop: Program) -> Reply:
    services = shop.api.services
    services.sign_in_header, services.proxies = "Remote-Email", TrustedProxies(("127.0.0.1",))
    twice = CIMultiDict([("Remote-Email", "a@example.com"), ("Remote-Email", "b@example.com")])
    return await shop.api.call("GET", "/events", headers=twice)


async def to_another_category(shop: Program) -> Reply:
    return await (await with_key_for(shop, "bug", "question")).post(SALE)


async def to_a_removed_category(shop: Program) -> Reply:
    sender = await with_key_for(shop, "sale")
    await shop.ask("DELETE", f"{CATEGORIES}/sale")
    return await sender.post(SALE)


async def under_a_used_key(shop: Program) -> Reply:
    await shop.post(SALE, Idempotency_Key="a")
    return await shop.post({"category": "bug"}, Idempotency_Key="a")


async def beyond_the_last_category(shop: Program) -> Reply:
    now = shop.api.clock.now()
    await Category.bulk_create(
        Category(account_id=shop.account.id, name=f"c{number}", color="#ffffff", created_at=now)
        for number in range(MOST_CATEGORIES)
    )
    return await shop.ask("POST", CATEGORIES, {"name": "one-more", "color": "#ffffff"})


async def without_settings(shop: Program) -> Reply:
    shop.api.services.health.report("discord", State.OFF, "Set a token.")
    return await shop.ask("PATCH", "/api/v1/account", {"channels": {"discord": {"enabled": True}}})


async def for_a_name_in_use(shop: Program) -> Reply:
    await shop.ask("POST", DESTINATIONS, TEAM)
    return await shop.ask("POST", DESTINATIONS, TEAM)


async def beyond_the_last_destination(shop: Program) -> Reply:
    await Destination.bulk_create(
        Destination(
            account_id=shop.account.id, channel="telegram", kind="room", name=f"r{number}", enabled=True
        )
        for number in range(MOST_DESTINATIONS)
    )
    return await shop.ask("POST", DESTINATIONS, TEAM)


async def to_a_mailbox_that_is_not_there(shop: Program) -> Reply:
    shop.api.mailer.refusal = "No such mailbox."
    return await shop.ask("POST", DESTINATIONS, TEAM)


async def for_an_eleventh_mailbox(shop: Program) -> Reply:
    for number in range(11):
        reply = await shop.ask("POST", DESTINATIONS, {**TEAM, "name": f"team-{number}"})
    return reply


async def for_one_test_too_many(shop: Program) -> Reply:
    ops = await Destination.create(
        account_id=shop.account.id, channel="telegram", kind="room", name="ops", enabled=True, address="-100"
    )
    for _ in range(MOST_TESTS):
        await post_test(ops, shop.api.clock.now())
    return await shop.ask("POST", f"{DESTINATIONS}/ops/test")


async def for_a_second_rotation(shop: Program) -> Reply:
    for _ in range(2):
        reply = await shop.ask("POST", f"{KEYS}/1/rotate", {})
    return reply


async def with_many_keys(shop: Program) -> None:
    now = shop.api.clock.now()
    await ApiKey.bulk_create(
        ApiKey(
            account_id=shop.account.id,
            name=f"k{number}",
            prefix=f"{number:08}",
            hash=f"{number:064}",
            scope=KeyScope.SEND,
            created_at=now,
        )
        for number in range(MOST_KEYS - 1)
    )


async def beyond_the_last_key(shop: Program) -> Reply:
    await with_many_keys(shop)
    return await shop.ask("POST", KEYS, {"name": "one more"})


async def for_a_rotation_beyond_the_last_key(shop: Program) -> Reply:
    await with_many_keys(shop)
    return await shop.ask("POST", f"{KEYS}/1/rotate", {})


async def over_quota(shop: Program) -> Reply:
    await Account.filter(id=shop.account.id).update(monthly_events=0)
    return await shop.post(SALE)


async def of_a_broken_database(shop: Program) -> Reply:
    await connection().execute_script("ALTER TABLE api_keys RENAME TO api_keys_away")
    return await shop.get(KEYS)


async def while_stopping(shop: Program) -> Reply:
    shop.api.services.stopping = True
    return await shop.get(KEYS)


def with_a_channel_on(channel: str) -> Provoke:
    async def provoke(shop: Program) -> Reply:
        await shop.ask("PATCH", "/api/v1/account", {"channels": {channel: {"enabled": True}}})
        return await shop.post(SALE)

    return provoke


PROVOKED: dict[str, Provoke] = {
    "missing_authorization": without_key,
    "missing_authorization/in_address": with_the_key_in_the_address,
    "invalid_authorization_format": asking("GET", KEYS, Authorization="pp_a"),
    "invalid_authorization_format/basic": asking("GET", KEYS, Authorization="Basic a"),
    "invalid_api_key": asking("GET", KEYS, Authorization="Bearer pp_a"),
    "too_many_requests": after_many_bad_keys,
    "too_many_requests/link_codes": for_an_eleventh_code,
    "payload_too_large": posting(b" " * 70_000),
    "invalid_json": posting(b'{"category": }'),
    "invalid_json/empty": posting(b""),
    "invalid_json/form": posting(b"category=sale&description=Sold"),
    "invalid_json/quotes": posting(b"{category: sale}"),
    "invalid_json/text": posting(b"Somebody bought a lamp"),
    "invalid_json/utf16": posting('{"category": "sale"}'.encode("utf-16")),
    "invalid_json/value": posting(b'{"category": NaN}'),
    "invalid_json/utf8": posting(b"\xff"),
    "invalid_json/depth": posting(b"[" * 60_000),
    "invalid_json/unknown_encoding": posting(b"{}", Content_Encoding="br"),
    "invalid_json/wrong_encoding": posting(b"{}", Content_Encoding="gzip"),
    "invalid_json/part_of_encoding": posting(gzip.compress(b"{}")[:-1], Content_Encoding="gzip"),
    "validation_error": posting(b"{}"),
    "insufficient_scope": with_a_key_that_only_sends,
    "insufficient_scope/web_page": with_a_key_that_manages_in_a_web_page,
    "insufficient_scope/category": to_another_category,
    "account_suspended": of_a_suspended_account,
    "category_not_found": posting(b'{"category": "sales"}'),
    "category_not_found/name": asking("GET", f"{CATEGORIES}/No"),
    "category_not_found/removed": to_a_removed_category,
    "not_found": asking("GET", "/nowhere"),
    "not_found/event": asking("GET", "/api/v1/events/no"),
    "not_found/key": asking("DELETE", f"{KEYS}/999"),
    "not_found/channel": asking("DELETE", "/api/v1/links/pigeon"),
    "not_found/link": asking("DELETE", "/api/v1/links/telegram"),
    "method_not_allowed": asking("PUT", EVENT),
    "precondition_failed": asking("GET", "/docs/docs.css", If_Match='"another"'),
    "idempotency_key_reused": under_a_used_key,
    "category_exists": asking("POST", CATEGORIES, {"name": "sale", "color": "#ffffff"}),
    "too_many_categories": beyond_the_last_category,
    "channel_not_configured": without_settings,
    "destination_exists": for_a_name_in_use,
    "too_many_destinations": beyond_the_last_destination,
    "destination_not_usable": asking("POST", f"{DESTINATIONS}/email/test"),
    "wrong_kind_of_destination": asking("DELETE", f"{DESTINATIONS}/email"),
    "confirmation_not_sent": to_a_mailbox_that_is_not_there,
    "too_many_requests/mailboxes": for_an_eleventh_mailbox,
    "too_many_requests/tests": for_one_test_too_many,
    "not_found/destination": asking("GET", f"{DESTINATIONS}/opps"),
    "not_found/destination_name": asking("GET", f"{DESTINATIONS}/No"),
    "key_exists": asking("POST", KEYS, {"name": "default"}),
    "key_rotated": for_a_second_rotation,
    "too_many_keys": beyond_the_last_key,
    "too_many_keys/rotation": for_a_rotation_beyond_the_last_key,
    "last_manage_key": asking("DELETE", f"{KEYS}/1"),
    "quota_exceeded": over_quota,
    "bad_request/form": asking("POST", "/sign-in", Origin="https://evil.example"),
    "bad_request/proxy": with_a_header_that_comes_twice,
    "processing_failed": of_a_broken_database,
    "shutting_down": while_stopping,
    **{code: with_a_channel_on(channel) for code, channel in UNLINKED.items()},
}
ELSEWHERE = {
    *("bad_request", "bad_request/expect", "request_timeout", "invalid_json/cut_off"),  # test_slow_callers
    "processing_failed/not_stored",  # test_storage_failures
    "processing_failed/not_delivered",  # test_waiting
}
VARYING = {
    *("too_many_requests", "quota_exceeded", "destination_exists", "not_found/destination"),
    *("destination_not_usable", "wrong_kind_of_destination"),
    *UNLINKED,
}
"""Those whose sentence names a time, a number or an address that is another in this test."""


def template_of(name: str) -> str:
    code, _, variant = name.partition("/")
    record = codes()[code]
    return (record.variants[variant] if variant else record.says).template


def test_every_sentence_of_the_table_is_provoked_by_some_test() -> None:
    assert PROVOKED.keys() | ELSEWHERE == set(ALL_NAMES)


@ON_SQLITE
@pytest.mark.parametrize("name", PROVOKED)
async def test_a_sentence_is_said_as_it_is_published(shop: Program, name: str) -> None:
    published = example_of(name)

    reply = await PROVOKED[name](shop)

    template = re.sub(r"\\{[^}]+}", ".+", re.escape(template_of(name)))
    assert reply.verdict == (published.status, published.code)
    assert re.fullmatch(template, reply.body["message"])
    assert name in VARYING or reply.body["message"] == str(published)
    assert reply.body.keys() == json.loads(published.reply().body).keys()  # type: ignore[arg-type]  # bytes
    assert published.headers.keys() <= reply.headers.keys()
