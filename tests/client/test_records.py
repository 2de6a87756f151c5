"""Log records as events: whatever was logged, the API takes it."""

import logging
from typing import Any

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
OTHERS = st.none() | st.binary() | st.lists(st.integers())


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


def test_extras_that_fit_a_field_are_fields() -> None:
    logged = event(order=4711, paid=True, price=9.5, to="Zoë", items=[1], nothing=None, level="mine")

    extras = {name: logged.fields.get(name) for name in ("order", "paid", "price", "to", "items", "nothing")}
    assert extras == {"order": 4711, "paid": True, "price": 9.5, "to": "Zoë", "items": None, "nothing": None}
    assert logged.fields["level"] == "ERROR"


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
