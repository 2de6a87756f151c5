import dataclasses
from datetime import UTC, datetime
from uuid import uuid4

import discord
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.discord.message import escape_name, escape_text, nonce_for, render_embed
from pingpilot.delivery.channel import Notification
from pingpilot.rendering.text import clean_text, readable, readable_fields, utf16_length

from .cutting import assert_cut_in_the_middle
from .discord_client import FormattedError, shown
from .strategies import PIECES, as_in_chats, notification, notifications, texts


def parts(embed: discord.Embed) -> list[str]:
    """Return all that counts towards 6,000: title, description, footer, then names and values."""
    fields = [text for field in embed.fields for text in (field.name, field.value)]
    return [part or "" for part in (embed.title, embed.description, embed.footer.text, *fields)]


def test_an_embed_shows_title_text_colour_time_and_fields_in_order() -> None:
    note = notification("User upgraded", ("plan", "PRO"), ("amount", 49.99), ("trial", False))

    embed = render_embed(note)

    assert embed.title == "💰 Sale"
    assert embed.description == "User upgraded"
    assert embed.colour is not None
    assert embed.colour.value == 0x2ECC71
    assert embed.timestamp == datetime(2026, 11, 23, 8, 5, tzinfo=UTC)
    shown_fields = [(field.name, field.value, field.inline) for field in embed.fields]
    assert shown_fields == [("plan", "PRO", True), ("amount", "49.99", True), ("trial", "false", True)]
    assert embed.footer.text == "evt_01890a5dac96774bbcceb302099a8057"


def test_a_blank_name_and_a_blank_value_are_shown_as_dashes() -> None:
    embed = render_embed(notification("x", (" ", ""), ("\u200b", "\n")))

    assert [(field.name, field.value) for field in embed.fields] == [("—", "—"), ("—", "—")]


def test_more_than_25_fields_keep_the_first_and_the_last() -> None:
    embed = render_embed(notification("x", *((f"k{n}", n) for n in range(100))))

    assert len(embed.fields) == 25
    assert [embed.fields[n].name for n in (0, 11, 12, 13, 24)] == ["k0", "k11", "…", "k88", "k99"]
    assert embed.fields[12].value == "76 fields left out"


@pytest.mark.parametrize(
    ("sent", "shown_fields", "left_out"), [(25, 25, None), (26, 25, "2 fields left out")]
)
def test_fields_are_left_out_from_the_26th_on(sent: int, shown_fields: int, left_out: str | None) -> None:
    embed = render_embed(notification("x", *((f"k{n}", n) for n in range(sent))))

    assert len(embed.fields) == shown_fields
    assert left_out in {None, embed.fields[12].value}


def test_a_text_is_cut_at_its_limit_and_no_sooner() -> None:
    fits = render_embed(notification("d" * 4000, ("n" * 256, "v" * 1024)))
    too_long = render_embed(notification("*" * 2049, ("_" * 129, "v" * 1025)))

    assert parts(fits)[1:2] + parts(fits)[3:] == ["d" * 4000, "n" * 256, "v" * 1024]
    assert [len(part) for part in parts(too_long)[3:]] == [256, 1024]
    assert 4090 <= len(too_long.description or "") <= 4096
    assert all("characters left out" in part for part in (parts(too_long)[1], *parts(too_long)[3:]))


@pytest.mark.parametrize(
    "formatted",
    [
        *("**b**", "*i*", "_i_", "__u__", "~~s~~", "||x||", "`c`", "```\nc\n```", "[t](https://e.example)"),
        *(
            "# h",
            "a\n## h",
            "-# small",
            "- item",
            "  * item",
            "3. item",
            "> q",
            ">>> q",
            "<@1>",
            "<@!1>",
            "<@&1>",
        ),
        *("<#1>", "<t:1>", "<t:1:R>", "<:x:1>", "<a:x:1>", "</x:1>", "<id:browse>", "@everyone", "@here"),
        *(":smile:", ":+1:", "<https://e.example>", "<a@b.example>", "<+4930123>"),
    ],
)
def test_user_text_never_formats(formatted: str) -> None:
    with pytest.raises(FormattedError):
        shown(formatted)  # it would, if it were sent as it is

    assert shown(escape_text(formatted))[0].replace("\ufeff", "") == formatted
    assert shown(escape_name(formatted), links=False)[0] == formatted


@pytest.mark.parametrize(
    "plain", ["C3PO", "a@b.example", "-5 °C", "10:30:45", "50 %", "#1", "a - b", "x > y", "1.5"]
)
def test_plain_text_needs_no_escapes(plain: str) -> None:
    assert escape_text(plain) == plain


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://x.example/a_b_c*d*?q[]=~1#_f_, ok", ["https://x.example/a_b_c*d*?q[]=~1#_f_"]),
        ("(https://x.example/a_b)", ["https://x.example/a_b"]),
        ("https://de.example/wiki/Köln_(Stadt)", ["https://de.example/wiki/Köln_(Stadt)"]),
        ("<https://x.example/a_b>", ["https://x.example/a_b"]),
        ("[https://good.example](https://evil.example)", ["https://good.example", "https://evil.example"]),
        ("https://x.example/a<@1>", ["https://x.example/a"]),
        ("https://x.example/a.<@1>", ["https://x.example/a"]),
        ("(https://x.example/a)||b||", ["https://x.example/a"]),
        ("http://[2001:db8::1]:8080/a_b", ["http://[2001:db8::1]:8080/a_b"]),
        ("https://_a_ https://||b||", []),
        ("steam://run/a_b<@1>", ["steam://run/a_b"]),
        ("**https://x.example/_**", ["https://x.example/_**"]),
        ('"https://x.example/a_b", _x_', ["https://x.example/a_b"]),
    ],
)
def test_links_stay_readable_and_whole(text: str, links: list[str]) -> None:
    read, found = shown(escape_text(text))

    assert read.replace("\ufeff", "") == text
    assert found == links


def test_a_link_can_not_smuggle_in_a_masked_one() -> None:
    escaped = escape_text("https://discord.com/channels/1/2[text](https://evil.example)")

    assert "[text](" not in escaped.replace("\\[", "")


def test_the_nonce_is_short_and_the_same_for_every_attempt() -> None:
    note = notification()

    nonce = nonce_for(note, "4711")
    assert nonce == nonce_for(notification("another attempt"), "4711")
    assert len(nonce) == 22


def test_each_channel_that_an_event_goes_to_has_a_nonce_of_its_own() -> None:
    assert len({nonce_for(notification(), address) for address in ("1", "2", "12")}) == 3


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=30).map(" ".join))
@settings(deadline=None, max_examples=400)
def test_escaped_text_reads_as_it_was_written(text: str) -> None:
    text = clean_text(text)

    assert shown(escape_text(text))[0].replace("\ufeff", "") == text
    assert shown(escape_name(text), links=False)[0] == text


@given(notifications)
@settings(deadline=None, max_examples=80)
def test_every_embed_keeps_to_discords_limits(note: Notification) -> None:
    embed = render_embed(note)

    assert utf16_length(embed.title or "") <= 256
    assert 0 < utf16_length(embed.description or "") <= 4096
    assert len(embed.fields) <= 25
    assert all(utf16_length(field.name or "") <= 256 for field in embed.fields)
    assert all(utf16_length(field.value or "") <= 1024 for field in embed.fields)
    assert sum(map(utf16_length, parts(embed))) <= 6000
    assert all(part.strip(" \n\t\u200b\ufeff\u3164\u2800") for part in parts(embed))


@given(notifications)
@settings(deadline=None, max_examples=60)
def test_every_embed_shows_what_was_sent_or_an_honest_cut_of_it(note: Notification) -> None:
    embed = render_embed(note)

    expect_shown(embed.description, readable(as_in_chats(note).description))
    expected = readable_fields(note)
    if (too_many := len(expected) - 24) > 1:
        expected[12:-12] = [("…", f"{too_many} fields left out")]
    for field, (name, value) in zip(embed.fields, expected, strict=True):
        expect_shown(field.name, name, links=False)
        expect_shown(field.value, value)


def expect_shown(source: str | None, text: str, *, links: bool = True) -> None:
    read = shown(source or "", links=links)[0].replace("\ufeff", "")
    if read != text:
        assert_cut_in_the_middle(read, text)


@given(texts(900), texts(200).filter(bool))
@settings(deadline=None, max_examples=60)
def test_what_fits_arrives_whole(value: str, name: str) -> None:
    embed = render_embed(notification(f"d{value}"[:400], (name[:60], value[:400])))

    _, description, _, _, shown_value = parts(embed)
    assert shown(description)[0].replace("\ufeff", "") == readable(f"d{value}"[:400])
    assert shown(shown_value)[0].replace("\ufeff", "") == readable(value[:400])


def test_two_events_have_two_nonces() -> None:
    other = dataclasses.replace(notification(), event_id=uuid4())

    assert nonce_for(other, "1") != nonce_for(notification(), "1")
