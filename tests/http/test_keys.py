"""`/api/v1/keys`: every answer of every call."""

import asyncio
import json
from typing import Any

import pytest

from models import ApiKey, KeyScope
from pingpilot.accounts.keys import MOST_KEYS, KeyRights, create_key, looks_like_key

from .api import ON_SQLITE, Api, Program, Reply

KEYS = "/api/v1/keys"
SHOWN = {
    "id",
    "name",
    "prefix",
    "scope",
    "categories",
    "createdAt",
    "lastUsedAt",
    "expiresAt",
    "current",
}
NO_ID_OF_OURS = ["0", "999999", "-1", "1.0", "default", "9" * 30, "%D9%A1"]
BAD_KEYS: list[tuple[Any, list[str]]] = [
    ({}, ["name"]),
    ([], ["body"]),
    ({"name": 7}, ["name"]),
    ({"name": ""}, ["name"]),
    ({"name": "   "}, ["name"]),
    ({"name": "a" * 65}, ["name"]),
    ({"name": "two\nlines"}, ["name"]),
    ({"name": "nul\0"}, ["name"]),
    ({"name": "\ud800"}, ["name"]),
    ({"name": "ci", "scope": "all"}, ["scope"]),
    ({"name": "ci", "scope": None}, ["scope"]),
    ({"name": "ci", "scope": 1}, ["scope"]),
    ({"name": "ci", "categories": []}, ["categories"]),
    ({"name": "ci", "categories": "sale"}, ["categories"]),
    ({"name": "ci", "categories": ["Sale"]}, ["categories"]),
    ({"name": "ci", "categories": ["sale,bug"]}, ["categories"]),
    ({"name": "ci", "categories": ["sale\n"]}, ["categories"]),
    ({"name": "ci", "categories": [None, 7]}, ["categories"]),
    ({"name": "ci", "categories": ["sale"] * 101}, ["categories"]),
    ({"name": "ci", "scope": "manage", "categories": ["sale"]}, ["categories"]),
    ({"name": "ci", "key": "pp_mine"}, ["key"]),
    ({"name": "", "scope": "all", "categories": [], "x": 1}, ["name", "scope", "categories", "x"]),
]
BAD_OVERLAPS = [-1, 2_592_001, 1.5, "60", True, None, 10**400]


async def make(program: Program, **members: Any) -> Reply:
    return await program.call("POST", KEYS, data=json.dumps(members))


async def rotate(program: Program, key_id: object, **members: Any) -> Reply:
    return await program.call("POST", f"{KEYS}/{key_id}/rotate", data=json.dumps(members))


async def delete(program: Program, key_id: object) -> Reply:
    return await program.call("DELETE", f"{KEYS}/{key_id}")


async def listed(program: Program) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = (await program.get(KEYS)).body["keys"]
    return keys


async def own_id(program: Program) -> int:
    return next(int(key["id"]) for key in await listed(program) if key["current"])


def holding(program: Program, reply: Reply) -> Program:
    """Return the program with the key that a reply shows."""
    return Program(program.api, program.account, reply.body["key"])


async def test_the_list_shows_what_is_known_of_each_key(shop: Program) -> None:
    await make(shop, name="shop", categories=["sale", "bug"])

    reply = await shop.get(KEYS)

    own, other = reply.body["keys"]
    assert (reply.status, reply.headers["Cache-Control"]) == (200, "no-store")
    assert own.keys() == SHOWN
    assert (own["name"], own["prefix"], own["scope"]) == ("default", shop.key[:11], "manage")
    assert (own["categories"], own["current"]) == (None, True)
    assert own["createdAt"] == own["lastUsedAt"] == "2026-11-23T12:00:00.000Z"
    assert (other["name"], other["scope"], other["categories"]) == ("shop", "send", ["sale", "bug"])
    assert (other["lastUsedAt"], other["expiresAt"], other["current"]) == (None, None, False)


@ON_SQLITE
async def test_the_list_leaves_out_what_is_revoked_expired_or_of_others(api: Api, shop: Program) -> None:
    await api.sign_up("bakery@example.com")
    revoked = await make(shop, name="revoked")
    rotated = await make(shop, name="rotated")
    await delete(shop, revoked.body["id"])
    await rotate(shop, rotated.body["id"], overlapSeconds=60)

    api.clock.advance_seconds(60)

    assert [key["name"] for key in await listed(shop)] == ["default", "rotated"]


async def test_a_new_key_is_shown_once_and_works(shop: Program) -> None:
    reply = await make(shop, name="web server")

    assert (reply.status, reply.headers["Cache-Control"]) == (201, "no-store")
    assert reply.body.keys() == SHOWN | {"key", "message"}
    assert looks_like_key(reply.body["key"])
    assert reply.body["key"].startswith(reply.body["prefix"])
    assert reply.body["key"] not in (await shop.get(KEYS)).text
    assert (await holding(shop, reply).post()).status == 200


@ON_SQLITE
async def test_a_new_key_may_do_everything_unless_told_otherwise(shop: Program) -> None:
    sender, manager = await make(shop, name="a", scope="send"), await make(shop, name="b")
    kept = await make(shop, name="c", categories=["sale"])

    assert (sender.body["scope"], manager.body["scope"]) == ("send", "manage")
    assert (kept.body["scope"], kept.body["categories"]) == ("send", ["sale"])
    assert (await holding(shop, sender).get(KEYS)).status == 403
    assert (await holding(shop, manager).get(KEYS)).status == 200


@ON_SQLITE
async def test_a_new_key_is_kept_to_its_categories(shop: Program) -> None:
    sender = holding(shop, await make(shop, name="shop", categories=["sale", "sale"]))

    assert (await sender.post({"category": "sale"})).status == 200
    assert (await sender.post({"category": "bug"})).verdict == (403, "insufficient_scope")


@ON_SQLITE
@pytest.mark.parametrize(("body", "faults"), BAD_KEYS, ids=lambda value: ascii(value)[:60])
async def test_a_key_of_the_wrong_shape_is_told_what_is_wrong(
    shop: Program, body: Any, faults: list[str]
) -> None:
    reply = await shop.call("POST", KEYS, data=json.dumps(body))

    assert reply.verdict == (422, "validation_error")
    assert reply.faults == faults
    assert all(fault["message"][-1] == "." for fault in reply.body["errors"])
    assert len(await listed(shop)) == 1


@ON_SQLITE
@pytest.mark.parametrize("path", [KEYS, f"{KEYS}/1/rotate"])
async def test_a_body_that_is_too_large_or_no_json_is_refused(shop: Program, path: str) -> None:
    large, empty = await shop.call("POST", path, data=b" " * 70_000), await shop.call("POST", path)

    assert large.verdict == (413, "payload_too_large")
    assert empty.verdict == (400, "invalid_json")


@ON_SQLITE
async def test_a_category_that_is_not_there_is_named_with_its_nearest(shop: Program) -> None:
    reply = await make(shop, name="shop", categories=["bug", "sales"])

    assert reply.verdict == (404, "category_not_found")
    assert "'sales'" in reply.body["message"]
    assert "'sale'" in reply.body["message"]
    assert len(await listed(shop)) == 1


async def test_a_name_in_use_is_refused(shop: Program) -> None:
    replies = await asyncio.gather(*(make(shop, name="shop") for _ in range(3)))

    assert sorted(reply.status for reply in replies) == [201, 409, 409]
    assert {reply.body.get("code") for reply in replies} == {None, "key_exists"}
    assert [key["name"] for key in await listed(shop)] == ["default", "shop"]


@ON_SQLITE
async def test_the_number_of_keys_is_limited(shop: Program) -> None:
    for number in range(MOST_KEYS - 1):
        await create_key(shop.account, f"key {number}", shop.api.clock.now())

    made = await make(shop, name="one more")
    rotated = await rotate(shop, await own_id(shop), overlapSeconds=60)

    assert made.verdict == (409, "too_many_keys")
    assert rotated.verdict == (409, "too_many_keys")
    assert "`overlapSeconds` 0" in rotated.body["message"]
    assert (await rotate(shop, await own_id(shop), overlapSeconds=0)).status == 201


async def test_a_rotated_key_works_on_until_the_overlap_ends(shop: Program) -> None:
    old = await make(shop, name="shop", categories=["sale"])

    reply = await rotate(shop, old.body["id"], overlapSeconds=60)

    before = [(await holding(shop, each).post()).status for each in (old, reply)]
    shop.api.clock.advance_seconds(60)
    after = [(await holding(shop, each).post()).verdict for each in (old, reply)]
    assert (reply.status, reply.headers["Cache-Control"]) == (201, "no-store")
    assert before == [200, 200]
    assert after == [(401, "invalid_api_key"), (200, None)]


@ON_SQLITE
async def test_a_rotation_shows_the_new_key_and_what_it_replaces(shop: Program) -> None:
    old = (await make(shop, name="shop", categories=["sale"])).body

    body = (await rotate(shop, old["id"])).body

    assert body.keys() == SHOWN | {"key", "message", "replaces"}
    assert body["replaces"].keys() == SHOWN
    assert (body["name"], body["scope"], body["categories"]) == ("shop", "send", ["sale"])
    assert (body["replaces"]["id"], body["replaces"]["prefix"]) == (old["id"], old["prefix"])
    assert (body["expiresAt"], body["replaces"]["expiresAt"]) == (None, "2026-11-24T12:00:00.000Z")
    assert old["key"] not in json.dumps(body)


@ON_SQLITE
async def test_during_an_overlap_the_list_tells_the_two_apart(shop: Program) -> None:
    await rotate(shop, await own_id(shop), overlapSeconds=60)

    old, new = await listed(shop)

    assert old["name"] == new["name"] == "default"
    assert (old["expiresAt"], new["expiresAt"]) == ("2026-11-23T12:01:00.000Z", None)
    assert (old["current"], new["current"]) == (True, False)


@ON_SQLITE
async def test_a_key_may_replace_itself_at_once(shop: Program) -> None:
    reply = await rotate(shop, await own_id(shop), overlapSeconds=0)

    assert "this request was made with" in reply.body["message"]
    assert reply.body["replaces"]["expiresAt"] == "2026-11-23T12:00:00.000Z"
    assert (await shop.get(KEYS)).verdict == (401, "invalid_api_key")
    assert (await holding(shop, reply).get(KEYS)).status == 200


async def test_of_two_rotations_of_a_key_at_once_one_succeeds(shop: Program) -> None:
    key_id = await own_id(shop)

    replies = await asyncio.gather(*(rotate(shop, key_id, overlapSeconds=60) for _ in range(4)))

    assert sorted(reply.status for reply in replies) == [201, 409, 409, 409]
    assert {reply.body.get("code") for reply in replies} == {None, "key_rotated"}
    assert len(await listed(shop)) == 2


@ON_SQLITE
@pytest.mark.parametrize("overlap", BAD_OVERLAPS, ids=lambda value: str(value)[:12])
async def test_an_overlap_is_a_number_of_seconds_within_bounds(shop: Program, overlap: object) -> None:
    reply = await rotate(shop, await own_id(shop), overlapSeconds=overlap)

    assert reply.verdict == (422, "validation_error")
    assert reply.faults == ["overlapSeconds"]
    assert "2,592,000" in reply.body["message"]


@ON_SQLITE
async def test_a_revoked_key_is_refused_at_once(shop: Program) -> None:
    sender = await make(shop, name="shop")

    reply = await delete(shop, sender.body["id"])

    assert reply.status == 200
    assert reply.body == {
        "message": "The key 'shop' is revoked.",
        "id": sender.body["id"],
        "current": False,
    }
    assert (await holding(shop, sender).post()).verdict == (401, "invalid_api_key")


async def test_a_key_may_revoke_itself_while_another_can_manage(shop: Program) -> None:
    other = await make(shop, name="other", scope="manage")

    reply = await delete(shop, await own_id(shop))

    assert (reply.status, reply.body["current"]) == (200, True)
    assert "this request was made with" in reply.body["message"]
    assert (await shop.get(KEYS)).status == 401
    assert (await holding(shop, other).get(KEYS)).status == 200


async def test_the_last_key_that_can_manage_is_not_revoked(shop: Program) -> None:
    await make(shop, name="shop", scope="send")

    reply = await delete(shop, await own_id(shop))

    assert reply.verdict == (409, "last_manage_key")
    assert "Make another first" in reply.body["message"]
    assert (await shop.get(KEYS)).status == 200


@ON_SQLITE
@pytest.mark.parametrize("key_id", NO_ID_OF_OURS)
async def test_a_key_that_is_not_there_is_not_found(shop: Program, key_id: str) -> None:
    replies = await rotate(shop, key_id), await delete(shop, key_id)

    assert [reply.verdict for reply in replies] == [(404, "not_found")] * 2


@ON_SQLITE
async def test_the_keys_of_another_account_are_out_of_reach(api: Api, shop: Program) -> None:
    bakery = await api.sign_up("bakery@example.com")
    theirs = await own_id(bakery)

    replies = await rotate(shop, theirs), await delete(shop, theirs)

    assert [reply.verdict for reply in replies] == [(404, "not_found")] * 2
    assert [key["expiresAt"] for key in await listed(bakery)] == [None]


@ON_SQLITE
async def test_a_key_of_another_scope_makes_no_keys(shop: Program) -> None:
    rights = KeyRights(KeyScope.SEND)
    _, key = await create_key(shop.account, "shop", shop.api.clock.now(), rights)
    sender = Program(shop.api, shop.account, key)

    replies = [
        await make(sender, name="more", scope="manage"),
        await rotate(sender, await own_id(shop)),
        await delete(sender, await own_id(shop)),
    ]

    assert [reply.verdict for reply in replies] == [(403, "insufficient_scope")] * 3
    assert await ApiKey.all().count() == 2
