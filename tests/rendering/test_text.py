from collections.abc import Callable
from functools import partial
from time import process_time
from timeit import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pingpilot.delivery.channel import Notification, field_text
from pingpilot.rendering.text import clean_text, cut_end, cut_middle, readable, readable_fields, utf16_length

from .cutting import assert_cut_in_the_middle
from .strategies import notification, notifications, texts

QUADRATIC = 16
"""How much longer a text of four times the length takes where each character looks at all others."""


def growth(work: Callable[[str], str], text: str) -> float:
    """Return how many times as long the whole text takes as a quarter of it."""
    quarter, whole = (
        min(repeat(partial(work, part), timer=process_time, number=10, repeat=7))
        for part in (text[: len(text) // 4], text)
    )
    return whole / quarter


def test_lengths_are_counted_in_utf16_units() -> None:
    assert utf16_length("aé€") == 3
    assert utf16_length("😀") == 2


def test_controls_and_bidi_overrides_go_and_line_ends_become_one_kind() -> None:
    dirty = "\ufeffa\x00b\x1b\r\nc\rd\u2028e\tf\u202egnp\u2066.exe\u2069"

    cleaned = clean_text(dirty)

    assert cleaned == "ab\nc\nd\ne\tfgnp.exe"


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("\x1b[31mERROR\x1b[0m: no disk", "ERROR: no disk"),
        ("\x1b[38;2;255;0;0mred\x1b[m \x1b[4:3mwavy\x1b[K", "red wavy"),
        ("\x9b1;31mC1\x9b0m", "C1"),
        ("\x1b]8;id=1;https://x.example/a\x1b\\link\x1b]8;;\x1b\\.", "link."),
        ("\x1b]0;a title\x07done", "done"),
        ("\x9d8;;https://x.example\x9clink\x9d8;;\x9c", "link"),
        ("\x1bP1;1;8q#0;2;0;0;0#0~~\x1b\\picture", "picture"),
        ("\x1b(Bplain\x1b7\x1b=", "plain"),
        ("\x1b[?25lhidden\x1b[?25h", "hidden"),
        ("cut off\x1b[38;5", "cut off"),
        ("\x1b]0;no end\nnext", "no end\nnext"),  # better too much than a text that is swallowed
        ("cut off\x1b]8;;", "cut off"),
        ("N\bNA\bAM\bME\bE\n_\bb |\b/\b-\bdone", "NAME\nb done"),
        ("50%\b\b\b60%\b", "60%"),
        ("array[0m]", "array[0m]"),
    ],
)
def test_terminal_codes_go_whole(written: str, seen: str) -> None:
    assert clean_text(written) == seen


@pytest.mark.parametrize(
    "code", ["\x1b]", "\x9d", "\x1b[", "\x1b", "\x1bPq", "\x1b[1;", "\x1b]x\x1b", "\x1b]1", "a\b"]
)
def test_no_pile_of_terminal_codes_makes_cleaning_slow(code: str) -> None:
    assert growth(clean_text, code * 4000) < QUADRATIC / 2


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (1e-07, "0.0000001"),
        (1.0, "1"),
        (-0.0, "0"),
        (99.99, "99.99"),
        (-1234567.5, "-1234567.5"),
        (1e22, "1e22"),
        (100000.0, "100000"),
        (1.5e20, "150000000000000000000"),
        (-2.5e300, "-2.5e300"),
        (5e-324, "5e-324"),
        (0.1 + 0.2, "0.30000000000000004"),
        (10**30, "1" + "0" * 30),
    ],
)
def test_numbers_are_shown_as_people_write_them(number: float, shown: str) -> None:
    assert readable_fields(notification("x", ("n", number))) == [("n", shown)]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_shown_is_the_number(number: float) -> None:
    assert float(field_text(number)) == number


@pytest.mark.parametrize("joined", ["👩‍👩‍👧", "❤️", "नि", "\u200fשלום", "🏴\U000e0067\U000e007f"])
def test_characters_that_make_up_scripts_and_emoji_stay(joined: str) -> None:
    assert clean_text(joined) == joined


@pytest.mark.parametrize(
    "blank", ["", " ", "\n\t", "\x01", "\u200b", "\u00a0\ufeff", "\u3164", "\u2800", "\ufe0f"]
)
def test_what_nobody_would_see_becomes_a_dash(blank: str) -> None:
    assert readable(blank) == "—"


def test_an_emoji_newer_than_this_python_is_not_blank() -> None:
    assert readable("\U0001faff") == "\U0001faff"


def test_fields_are_read_with_names_on_one_line_and_json_words_for_booleans() -> None:
    note = notification("x", ("a\nb\t c", True), (" ", ""), ("n", 1e22), ("price", 1e1))

    shown = readable_fields(note)

    assert shown == [("a b c", "true"), ("—", "—"), ("n", "1e22"), ("price", "10")]


def test_a_text_that_fits_stays_as_it_is() -> None:
    assert cut_middle("x" * 100, 100) == "x" * 100


def test_a_long_text_keeps_beginning_and_end_around_a_line_that_says_so() -> None:
    text = "begin" + "x" * 5000 + "end"

    cut = cut_middle(text, 100)

    assert len(cut) == 100
    first, note, last = cut.split("\n")
    assert first.startswith("begin")
    assert note == f"… {5008 - len(first) - len(last):,} characters left out …"
    assert last.endswith("end")


def test_without_room_for_a_note_an_ellipsis_is_left() -> None:
    assert cut_middle("x" * 50, 10) == "…"


@pytest.mark.parametrize("cluster", ["👩‍👩‍👧‍👦", "👍🏽", "🇩🇪", "e\u0301\u0323", "❤️", "न\u093f"])
@pytest.mark.parametrize("limit", range(80, 104))
def test_nothing_people_see_as_one_character_is_cut_in_two(cluster: str, limit: int) -> None:
    cut = cut_middle(cluster * 200, limit, joint="|")

    begin, _, end = cut.split("|")
    assert begin.replace(cluster, "") == ""
    assert end.replace(cluster, "") == ""


def test_a_pile_of_accents_does_not_keep_a_text_from_being_cut() -> None:
    cut = cut_middle("z" + "\u0301" * 4000, 100)

    assert 90 <= utf16_length(cut) <= 100
    assert "characters left out" in cut


@pytest.mark.parametrize("pile", ["z" + "\u0301" * 3999, "🇩🇪" * 2000, "👩\u200d" * 2000, "e\u0301" * 2000])
def test_no_pile_of_marks_or_flags_makes_a_cut_slow(pile: str) -> None:
    assert growth(lambda text: cut_middle(text, 100), pile) < QUADRATIC / 2


def test_the_end_is_cut_between_whole_characters() -> None:
    assert cut_end("abc👍🏽def", 6) == "abc👍🏽…"
    assert cut_end("abc👍🏽def", 5) == "abc…"
    assert cut_end("abc", 3) == "abc"


@given(texts(4096), st.integers(40, 1024), st.sampled_from(["\n", " "]))
@settings(deadline=None, max_examples=150)
def test_every_cut_fits_and_is_honest(text: str, limit: int, joint: str) -> None:
    text = clean_text(text)

    cut = cut_middle(text, limit, joint=joint)

    assert utf16_length(cut) <= limit
    if utf16_length(text) <= limit:
        assert cut == text
    else:
        assert_cut_in_the_middle(cut, text)


@given(notifications)
@settings(deadline=None, max_examples=50)
def test_every_text_is_readable(note: Notification) -> None:
    shown = [readable(note.description), *(text for field in readable_fields(note) for text in field)]

    assert all(text and text == text.strip() and clean_text(text) == text for text in shown)
