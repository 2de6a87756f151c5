"""What is read quickly says the same as what is read with care; what may be wrong is left to the care."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from api.errors import ApiError
from api.requests.bodies import parsed
from api.shapes.events import EventBody, SaidEvent, read_quickly

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)  # surrogates and NUL included
ANY_VALUE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**30), max_value=10**30)
    | st.floats()
    | ANY_TEXT
    | st.lists(st.integers(), max_size=2)
)
NEARLY_EVENTS = st.fixed_dictionaries(
    {"category": st.sampled_from(["sale", "a-b", "Sale", ""]) | ANY_VALUE},
    optional={
        "title": st.sampled_from(["Order 1", " ", "a\nb", "x" * 201]) | ANY_VALUE,
        "url": st.sampled_from(["https://example.com/1", "ftp://example.com", "", "x"]) | ANY_VALUE,
        "description": st.sampled_from(["", "  ", "Sold", "x" * 4001]) | ANY_VALUE,
        "fields": st.dictionaries(ANY_TEXT | st.just("x" * 257), ANY_VALUE, max_size=4) | ANY_VALUE,
        "more": ANY_VALUE,
    },
)
ODD = [
    b"",
    b"null",
    b"[]",
    b'{"category":"sale"} x',
    b'\xef\xbb\xbf{"category":"sale"}',
    b'{"category":"sale","category":"bug"}',
    b'{"category":"sale\\n"}',
    b'{"category":"s\xc3\xa4le"}',
    b'{"category":"sale","description":"\xff"}',
    b'{"category":"sale","description":"\\u0000"}',
    b'{"category":"sale","description":"\\\\u0000"}',
    b'{"category":"sale","description":"\\ud800"}',
    b'{"category":"sale","description":"\\ud83d\\ude00"}',
    b'{"category":"sale","description":"\xed\xa0\x80"}',
    b'{"category":"sale","description":"a\x00b"}',
    b'{"category":"sale","fields":{"a":NaN}}',
    b'{"category":"sale","fields":{"a":-Infinity}}',
    b'{"category":"sale","fields":{"a":1e400}}',
    b'{"category":"sale","fields":{"a":1e-400,"b":-0,"c":-0.0,"d":1E3}}',
    b'{"category":"sale","fields":{"a":1' + b"0" * 500 + b"}}",
    b'{"category":"sale","fields":{"a":18446744073709551616,"b":-9223372036854775809}}',
    b'{"category":"sale","fields":{"a":9223372036854775807,"b":-9223372036854775808}}',
    b'{"category":"sale","fields":{"a":1,"b":2,"a":3}}',
    b'{"category":"sale","fields":{"":1}}',
    b'{"category":"sale","fields":{"a":null}}',
    b'{"category":"sale","fields":null,"title":null,"url":null,"description":null}',
    b'{"category":"sale","fields":' + b"[" * 5000 + b"]" * 5000 + b"}",
    json.dumps({"category": "sale", "fields": {str(number): 1 for number in range(101)}}).encode(),
    json.dumps({"category": "sale", "fields": {"a": "x" * 4097}}).encode(),
]


def _read_with_care(body: bytes) -> SaidEvent | None:
    try:
        return EventBody.model_validate(parsed(body, EventBody)).said
    except (ApiError, ValidationError):
        return None


def _kinds(said: SaidEvent) -> list[tuple[str, Any, type]]:
    return [(name, str(value), type(value)) for name, value in said.fields.items()]


def _check(body: bytes) -> None:
    quick, careful = read_quickly(body), _read_with_care(body)
    if quick is not None:
        assert careful is not None, f"read quickly, and invalid: {body!r}"
        assert quick == careful
        assert _kinds(quick) == _kinds(careful)
        assert (quick.fields_json, quick.fingerprint) == (careful.fields_json, careful.fingerprint)


@settings(deadline=None, max_examples=300)
@given(body=NEARLY_EVENTS, ascii_only=st.booleans())
def test_what_is_read_quickly_is_read_the_same_with_care(body: dict[str, Any], ascii_only: bool) -> None:
    _check(json.dumps(body, ensure_ascii=ascii_only).encode(errors="surrogatepass"))


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_what_is_odd_is_read_the_same_or_not_quickly(body: bytes) -> None:
    _check(body)


def test_what_programs_send_is_read_quickly() -> None:
    said = {
        "category": "sale",
        "title": "Order 1042",
        "url": "https://shop.example.com/orders/1042",
        "description": "Somebody bought a lämp 💡",
        "fields": {"amount": 99.99, "count": 3, "paid": True, "who": "Zoë"},
    }

    for text in (json.dumps(said), json.dumps(said, ensure_ascii=False), json.dumps({"category": "a"})):
        assert read_quickly(text.encode()) is not None
