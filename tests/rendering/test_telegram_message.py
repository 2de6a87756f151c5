import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from bots.telegram.message import render_html, square_for
from pingpilot.delivery.channel import FieldValue, Notification
from pingpilot.rendering.text import readable, readable_fields, title_of, utf16_length

from .cutting import assert_cut_in_the_middle
from .strategies import as_in_chats, notification, notifications, texts


class Parsed(HTMLParser):
    """Telegram HTML as an independent parser reads it: its text and what of it is bold."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text = ""
        self.bold: list[str] = []
        self.links: list[str | None] = []
        self.open = 0
        self.feed(source)
        self.close()
        assert self.open == 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for _, value in attrs]
            return
        assert (tag, attrs, self.open) == ("b", [], 0)
        self.open += 1
        self.bold.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            return
        assert (tag, self.open) == ("b", 1)
        self.open -= 1

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open:
            self.bold[-1] += data


def test_a_message_has_a_square_a_bold_title_the_text_and_a_line_a_field() -> None:
    note = notification("User upgraded", ("plan", "PRO"), ("amount", 49.99), ("trial", False))

    assert render_html(note) == (
        "🟩 <b>💰 Sale</b>\n\nUser upgraded\n\n<b>plan</b>: PRO\n<b>amount</b>: 49.99\n<b>trial</b>: false"
    )


def test_a_message_without_fields_ends_with_the_description() -> None:
    assert render_html(notification("Done.", emoji=None)) == "🟩 <b>Sale</b>\n\nDone."


def test_user_text_is_no_html() -> None:
    html = render_html(notification("a < b && <b>c</b>", ("<i>", "&lt;")))

    parsed = Parsed(html)
    assert parsed.text == "🟩 💰 Sale\n\na < b && <b>c</b>\n\n<i>: &lt;"
    assert parsed.bold == ["💰 Sale", "<i>"]


def test_a_long_text_is_cut_to_exactly_what_telegram_takes() -> None:
    parsed = Parsed(render_html(notification("b" + "&" * 3998 + "e", ("k", "v" * 200))))

    assert utf16_length(parsed.text) == 4096
    assert "characters left out" in parsed.text
    assert "&&e\n\nk: " + "v" * 200 in parsed.text


@pytest.mark.parametrize("fields", [(), (("k", "v"),), (("k", "v"), ("l", "w"))])
def test_a_text_is_cut_at_4096_units_and_no_sooner(fields: tuple[tuple[str, FieldValue], ...]) -> None:
    room = 4096 - utf16_length(Parsed(render_html(notification("x", *fields))).text)

    fits = Parsed(render_html(notification("x" * (1 + room), *fields)))
    too_long = Parsed(render_html(notification("x" * (2 + room), *fields)))

    assert utf16_length(fits.text) == 4096
    assert "left out" not in fits.text
    assert utf16_length(too_long.text) <= 4096
    assert "left out" in too_long.text


def test_a_hundred_short_fields_all_arrive() -> None:
    parsed = Parsed(render_html(notification("x", *((f"k{n}", n) for n in range(100)))))

    assert parsed.text.count("\nk") == 100


def test_too_many_long_fields_keep_the_first_and_the_last() -> None:
    parsed = Parsed(render_html(notification("x", *((f"k{n}", f"{n} " + "v" * 200) for n in range(100)))))

    assert "\nk0: 0 v" in parsed.text
    assert "\nk99: 99 v" in parsed.text
    assert re.search(r"\n…: \d\d fields left out\n", parsed.text)


@pytest.mark.parametrize(
    ("square", "colors"),
    {
        "🟥": [0xFF0000, 0xF44336, 0xED4245, 0xE91E63, 0xFFC0CB],
        "🟧": [0xFFA500, 0xFF9800],
        "🟨": [0xFFFF00, 0xFFEB3B, 0xFFC107, 0xFEE75C],
        "🟩": [0x00FF00, 0x008000, 0x2ECC71, 0x4CAF50, 0x57F287, 0x009688],
        "🟦": [0x0000FF, 0x000080, 0x2196F3, 0x5865F2, 0x00FFFF, 0x87CEEB],
        "🟪": [0x800080, 0x9C27B0, 0x673AB7, 0xFF00FF],
        "🟫": [0x8B4513, 0x795548, 0xC1694F],
        "⬛": [0x000000, 0x111111, 0x36393F],
        "⬜": [0xFFFFFF, 0xF5F5F5, 0xC0C0C0],
    }.items(),
)
def test_the_square_has_the_nearest_colour(square: str, colors: list[int]) -> None:
    assert {square_for(color) for color in colors} == {square}


@given(notifications)
@settings(deadline=None, max_examples=100)
def test_every_message_is_sound_html_within_telegrams_limits(note: Notification) -> None:
    html = render_html(note)

    parsed = Parsed(html)
    assert 0 < utf16_length(parsed.text) <= 4096
    assert len(parsed.bold) <= 101
    assert len(html.encode()) < 32768
    bare = re.sub(r'</?b>|<a href="[^"<>]*">|</a>', "", html)
    assert not re.search(r"[<>]|&(?!(?:lt|gt|amp);)", bare)
    assert all(name.strip() for name in parsed.bold)


@given(notifications)
@settings(deadline=None, max_examples=80)
def test_every_message_shows_what_was_sent_or_cuts_it(note: Notification) -> None:
    parsed = Parsed(render_html(note))

    lines = [f"{name}: {value}" for name, value in readable_fields(note)]
    whole = f"{square_for(note.color)} {title_of(note)}\n\n{readable(as_in_chats(note).description)}"
    whole += "\n\n" + "\n".join(lines) if lines else ""
    if utf16_length(whole) <= 4096:
        assert parsed.text == whole
    else:
        assert " left out" in parsed.text
        assert parsed.text[-8:] == whole[-8:]


@given(texts(4000).filter(lambda text: text.strip()))
@settings(deadline=None, max_examples=60)
def test_a_description_arrives_whole_or_keeps_its_end(description: str) -> None:
    text = readable(description)

    shown = Parsed(render_html(notification(description))).text.removeprefix("🟩 💰 Sale\n\n")

    if shown != text:
        assert utf16_length(text) > 4096 - utf16_length("🟩 💰 Sale\n\n") - 3
        assert_cut_in_the_middle(shown, text)
