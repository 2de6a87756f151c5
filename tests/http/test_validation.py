"""The shape of an event: what is wrong is named, member by member, and all of it."""

import json
from typing import Any

import pytest

from api.app import CALLS
from api.calls import Call

from .api import EVENT, ON_SQLITE, SALE, Program

pytestmark = ON_SQLITE


def sale(**fields: Any) -> dict[str, Any]:
    return {**SALE, "fields": fields}


FAULTY: dict[str, tuple[Any, list[str]]] = {
    "an array": ([], ["body"]),
    "an array around an event": ([SALE], ["body"]),
    "a text": ("sale", ["body"]),
    "a number": (42, ["body"]),
    "true": (True, ["body"]),
    "null": (None, ["body"]),
    "nothing in it": ({}, ["category"]),
    "category: null": ({"category": None}, ["category"]),
    "category: empty": ({"category": ""}, ["category"]),
    "category: a number": ({"category": 1}, ["category"]),
    "category: an array": ({"category": ["sale"]}, ["category"]),
    "category: upper case": ({"category": "Sale"}, ["category"]),
    "category: a blank": ({"category": "big sale"}, ["category"]),
    "category: a line break": ({"category": "sale\n"}, ["category"]),
    "category: too long": ({"category": "a" * 65}, ["category"]),
    "category: other digits": ({"category": "sale٣"}, ["category"]),
    "category: a lone surrogate": ({"category": "\ud800"}, ["category"]),
    "description: a number": ({**SALE, "description": 1}, ["description"]),
    "description: false": ({**SALE, "description": False}, ["description"]),
    "description: an object": ({**SALE, "description": {}}, ["description"]),
    "description: too long": ({**SALE, "description": "a" * 4001}, ["description"]),
    "description: NUL": ({**SALE, "description": "a\0b"}, ["description"]),
    "description: a lone surrogate": ({**SALE, "description": "a\udfffb"}, ["description"]),
    "fields: an array": ({**SALE, "fields": []}, ["fields"]),
    "fields: a text": ({**SALE, "fields": "a"}, ["fields"]),
    "fields: one too many": (sale(**{f"f{n}": n for n in range(101)}), ["fields"]),
    "fields: too many, and one that is wrong": (
        sale(**{f"f{n}": n for n in range(100)}, bad=None),
        ["fields", "fields.bad"],
    ),
    "value: null": (sale(amount=None), ["fields.amount"]),
    "value: an object": (sale(amount={"net": 1}), ["fields.amount"]),
    "value: an array": (sale(amount=[1]), ["fields.amount"]),
    "value: too long": (sale(note="a" * 4097), ["fields.note"]),
    "value: NUL": (sale(note="\0"), ["fields.note"]),
    "value: a lone surrogate": (sale(note="\ud83d"), ["fields.note"]),
    "name: empty": (sale(**{"": 1}), ["fields."]),
    "name: too long": (sale(**{"a" * 257: 1}), ["fields." + "a" * 257]),
    "name: NUL": (sale(**{"a\0": 1}), ["fields.a\0"]),
    "name: what pydantic calls names": (sale(**{"[key]": None}), ["fields.[key]"]),
    "unknown: one": ({**SALE, "feilds": {}}, ["feilds"]),
    "unknown: upper case": ({**SALE, "Description": "a"}, ["Description"]),
    "unknown: null": ({**SALE, "colour": None}, ["colour"]),
    "unknown: nameless": ({**SALE, "": 1}, [""]),
}


@pytest.mark.parametrize("name", FAULTY)
async def test_a_fault_is_refused_under_its_name(shop: Program, name: str) -> None:
    body, faults = FAULTY[name]

    reply = await shop.post(body)

    assert reply.verdict == (422, "validation_error")
    assert reply.faults == faults
    assert all(fault["message"] for fault in reply.body["errors"])
    assert await shop.charged_events() == 0


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 5000, "-" + "9" * 60_000])
async def test_a_number_beyond_all_bounds_is_refused(shop: Program, number: str) -> None:
    reply = await shop.send(f'{{"category": "sale", "fields": {{"amount": {number}}}}}'.encode())

    assert reply.verdict == (422, "validation_error")
    assert reply.faults == ["fields.amount"]


@pytest.mark.parametrize("fields", ['{"\\ud800": 1}', '{"a\\udfff": "b"}'])
async def test_a_lone_surrogate_in_a_fields_name_is_refused(shop: Program, fields: str) -> None:
    reply = await shop.send(f'{{"category": "sale", "fields": {fields}}}'.encode())

    assert reply.verdict == (422, "validation_error")
    assert [fault.partition(".")[0] for fault in reply.faults] == ["fields"]
    assert "lone surrogates" in reply.body["errors"][0]["message"]


async def test_a_lone_surrogate_in_an_unknown_members_name_is_refused(shop: Program) -> None:
    reply = await shop.send(b'{"category": "sale", "a\\ud800": 1}')

    assert reply.verdict == (422, "validation_error")
    assert reply.faults == ["a?"]


async def test_all_faults_are_listed(shop: Program) -> None:
    fields: dict[str, Any] = {"amount": None, "fine": 1, "note": "a" * 4097, "": True, "list": []}

    reply = await shop.post({"category": "No", "description": 7, "fields": fields, "color": "red", "to": 1})

    listed = [
        "category",
        "description",
        "fields.amount",
        "fields.note",
        "fields.",
        "fields.list",
        "color",
        "to",
    ]
    assert sorted(reply.faults) == sorted(listed)


async def test_a_fields_name_and_value_are_both_looked_at(shop: Program) -> None:
    reply = await shop.post(sale(**{"a" * 257: None}))

    messages = [fault["message"] for fault in reply.body["errors"]]
    assert reply.faults == ["fields." + "a" * 257] * 2
    assert len(set(messages)) == 2


async def test_the_message_names_the_first_faults_and_counts_the_rest(shop: Program) -> None:
    reply = await shop.post(sale(a=None, b=None, c=None, d=None, e=None))

    message = reply.body["message"]
    assert all(f"fields.{name}: must be" in message for name in "abc")
    assert "fields.d" not in message
    assert message.endswith("(and 2 more).")


async def test_what_is_just_within_the_bounds_is_taken(shop: Program) -> None:
    fields: dict[str, Any] = {f"{n:0>256}": n for n in range(97)}
    fields |= {"long": "ä" * 4096, "empty": "", " ": " "}

    reply = await shop.post({**SALE, "fields": fields})

    assert len(fields) == 100
    assert reply.status == 200


async def test_a_description_of_4000_characters_is_taken(shop: Program) -> None:
    reply = await shop.post({**SALE, "description": "𝔘" * 4000})

    assert reply.status == 200


async def test_fields_may_be_null(shop: Program) -> None:
    reply = await shop.post({**SALE, "fields": None})

    event = (await shop.get(f"/api/v1/events/{reply.body['eventId']}")).body
    assert event["fields"] == {}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("Sale", "sale"),
        (" sale ", "sale"),
        ("New User!", "new-user"),
        ("new_user", "new-user"),
        ("SALE", "sale"),
    ],
)
async def test_a_category_in_another_spelling_is_told_the_right_one(
    shop: Program, given: str, meant: str
) -> None:
    reply = await shop.post({"category": given})

    assert reply.verdict == (422, "validation_error")
    assert f"did you mean '{meant}'?" in reply.body["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "hint"),
    [
        (
            "POST",
            EVENT,
            {"categroy": "sale"},
            "categroy: is not a member this call knows: did you mean 'category'?",
        ),
        ("POST", EVENT, {**SALE, "Description": "x"}, "did you mean 'description'?"),
        ("POST", EVENT, {**SALE, "desc": "x"}, "did you mean 'description'?"),
        ("POST", EVENT, {**SALE, "xyz": 1}, "xyz: is not a member this call knows: remove it."),
        ("PATCH", "/api/v1/account", {"time_zone": "UTC"}, "did you mean 'timeZone'?"),
        ("PATCH", "/api/v1/account", {"channels": {"email": {"enable": True}}}, "did you mean 'enabled'?"),
        ("PATCH", "/api/v1/categories/sale", {"colour": "#ffffff"}, "did you mean 'color'?"),
        (
            "GET",
            "/api/v1/events?limt=3",
            None,
            "limt: is not a parameter this call knows: did you mean 'limit'?",
        ),
    ],
)
async def test_a_misspelt_member_is_told_its_nearest_name(
    shop: Program, method: str, path: str, body: Any, hint: str
) -> None:
    reply = await shop.ask(method, path, body)

    assert reply.verdict == (422, "validation_error")
    assert hint in reply.body["message"]


@pytest.mark.parametrize(
    "call", [call for call in CALLS if call.body], ids=lambda call: f"{call.method} {call.path}"
)
async def test_a_body_of_the_wrong_form_is_answered_with_one_that_works(shop: Program, call: Call) -> None:
    path = call.path.replace("destinations/{name}", "destinations/email").replace("{name}", "sale")
    path = path.replace("{key_id:\\d+}", "1").replace("{key_id}", "1")

    reply = await shop.ask(call.method, path, [])

    assert reply.verdict == (422, "validation_error")
    _, _, example = reply.body["message"].partition("A body that works: ")
    assert (await shop.ask(call.method, path, json.loads(example))).status in (200, 201)
