"""Event ids: UUIDv7, growing, and their text form."""

from uuid import UUID

import pytest

from models.ids import event_id_text, parse_event_id, uuid7


def test_ids_grow_even_within_a_millisecond() -> None:
    ids = [uuid7() for _ in range(10_000)]

    assert ids == sorted(set(ids))
    assert all(each.version == 7 and each.variant == "specified in RFC 4122" for each in ids)


def test_an_id_survives_its_text() -> None:
    event_id = uuid7()

    text = event_id_text(event_id)

    assert text == f"evt_{event_id.hex}"
    assert parse_event_id(text) == event_id


@pytest.mark.parametrize(
    "text", ["", "evt_", "evt_x", f"evt_{'0' * 33}", f"{UUID(int=0)}", f"EVT_{'0' * 32}"]
)
def test_anything_else_is_no_id(text: str) -> None:
    assert parse_event_id(text) is None
