"""Log records as events: whatever was logged, the API takes it."""

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.errors import MAX_BODY
from api.shapes.events import EventBody
from pingpilot.client.calls import encoded
from pingpilot.client.records import LoggedEvent, event_of

WORDS = st.text(st.characters(codec=None), max_size=20) | st.sampled_from(
    ["", "\x00", "\ud800", "\x01" * 9000]
)
NUMBERS = st.integers() | st.floats() | st.booleans() | st.sampled_from([10**400, -(10**5000), 2**64])
OTHERS = st.none() | st.binary() | st.lists(NUMBERS) | st.decimals() | st.dictionaries(st.text(), st.text())


def record(message: str = "The lamp is broken", **given: Any) -> logging.LogRecord:
    basics = {"name": "shop.lamps", "levelno": 40, "levelname": "ERROR", "msg": message, "lineno": 7}
    return logging.makeLogRecord({**basics, "module": "lamps", "threadName": "worker-1", **given})


def event(message: str = "The lamp is broken", **given: Any) -> LoggedEvent:
    return event_of(record(message, **given), message)


def test_an_event_tells_what_where_and_how_bad() -> None:
    logged = event("The lamp is broken")

    assert logged.description == "The lamp is broken"
    assert logged.fields == {
        "level": "ERROR",
        "logger": "shop.lamps",
        "where": "lamps:7",
        "thread": "worker-1",
    }


def test_the_end_of_a_long_traceback_is_kept() -> None:
    error = ValueError("x" * 5000 + " the cause")

    logged = event(exc_info=(type(error), error, None))

    trace = str(logged.fields["exception"])
    assert (len(trace), trace[0]) == (4096, "…")
    assert trace.endswith(" the cause")


def test_a_traceback_that_was_formatted_elsewhere_is_kept() -> None:
    assert event(exc_text="Traceback: …").fields["exception"] == "Traceback: …"


def test_no_exception_is_no_field() -> None:
    assert "exception" not in event(exc_info=(None, None, None)).fields


def test_extras_are_fields() -> None:
    logged = event(order=4711, paid=True, price=9.5, to="Zoë", nothing=None, level="mine")

    extras = {name: logged.fields.get(name) for name in ("order", "paid", "price", "to", "nothing")}
    assert extras == {"order": 4711, "paid": True, "price": 9.5, "to": "Zoë", "nothing": None}
    assert logged.fields["level"] == "ERROR"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("19.90"), "19.90"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (datetime(2026, 11, 26, 8, 5, tzinfo=UTC), "2026-11-26 08:05:00+00:00"),
        (timedelta(minutes=90), "1:30:00"),
        ([1, "two"], "[1, 'two']"),
        ({"a": 1}, "{'a': 1}"),
        (PurePosixPath("/tmp/x"), "/tmp/x"),  # noqa: S108
        (b"raw", "b'raw'"),
        ([10**5000], "<list: ValueError from its str()>"),
    ],
)
def test_what_is_no_text_or_number_is_shown_as_text(value: object, shown: str) -> None:
    assert event(extra=value).fields["extra"] == shown


def test_an_object_that_can_not_be_shown_costs_its_field_and_not_the_record() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("detached")

    logged = event(order=Broken(), customer="Zoë")

    assert logged.fields["order"] == "<Broken: RuntimeError from its str()>"
    assert logged.fields["customer"] == "Zoë"


def test_the_stack_is_told_where_the_program_asked_for_it() -> None:
    stack = "Stack (most recent call last):\n" + "x" * 5000 + "\n  order(4711)"

    logged = event(stack_info=stack)

    assert len(str(logged.fields["stack"])) == 4096
    assert str(logged.fields["stack"]).endswith("\n  order(4711)")


def test_what_json_has_no_number_for_becomes_text() -> None:
    logged = event(infinite=float("inf"), huge=2**80)

    assert (logged.fields["infinite"], logged.fields["huge"]) == ("inf", hex(2**80))


def test_long_texts_are_cut_and_too_many_fields_left_out() -> None:
    logged = event("x" * 5000, **{f"extra {number}": "y" * 10 for number in range(200)}, long="z" * 5000)

    assert (len(logged.description), logged.description[-1]) == (4000, "…")
    assert len(logged.fields) == 99
    assert (len(str(event(long="z" * 5000).fields["long"]))) == 4096


@given(
    message=WORDS,
    name=WORDS,
    extras=st.dictionaries(WORDS, WORDS | NUMBERS | OTHERS, max_size=130),
    text=WORDS,
)
@settings(max_examples=150, deadline=None)
def test_the_api_takes_whatever_was_logged(
    message: str, name: str, extras: dict[str, Any], text: str
) -> None:
    logged = event(message, name=name, levelname=name, threadName=name, exc_text=text)
    extended = event_of(record(**{f"_{key}": value for key, value in extras.items()}), message)

    for each in (logged, extended):
        body = {
            "category": "e" * 64,
            "description": each.description,
            "fields": {**each.fields, "dropped": 10**9},
        }
        assert len(encoded(body)) <= MAX_BODY
        EventBody.model_validate(body)


@pytest.mark.parametrize("character", ["\x01", "💡", '"', "é"])
def test_whatever_its_characters_weigh_an_event_is_within_64_kib(character: str) -> None:
    long = character * 9000

    logged = event(long, name=long, exc_text=long, **{f"{number}{long}": long for number in range(120)})

    body = {
        "category": "e" * 64,
        "description": logged.description,
        "fields": {**logged.fields, "dropped": 10**9},
    }
    assert len(encoded(body)) <= MAX_BODY
    EventBody.model_validate(body)
    assert "exception" in logged.fields
