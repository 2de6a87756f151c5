"""Notifications as the HTTP contract allows them, with a liking for nasty ones."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import strategies as st

from pingpilot.delivery.channel import FieldValue, Notification
from pingpilot.rendering.links import chat_link, with_link_in_text

PIECES = (
    *("**bold**", "_it_", "__under__", "~~gone~~", "||spoiler||", "`code`", "```\nblock\n```", "\\", "\\\\*"),
    *("[text](https://evil.example)", "<@123456>", "<@&1>", "<#1>", "<t:1700000000:R>", "<:x:1>", "<a:x:1>"),
    *("</cmd:1>", "<id:browse>", "@everyone", "@here", "@silent", ":smile:", "10:30:45", "¯\\_(ツ)_/¯"),
    *("\n# head", "\n### h3", "\n-# small", "\n- item", "\n  * item", "\n+ item", "\n12. item", "\n> quote"),
    *(
        "\n>>> quote",
        "https://x.example/a_b*c~d?e[]=1#f_g",
        "<https://x.example/a_b>",
        "(https://x.example/_)",
    ),
    *("[https://good.example](https://evil.example)", "https://x.example/a|b_c`d", "steam://run/1_2<@1>"),
    *("<b>", "</b>", "&amp;", "&", "https://", "http://x"),
    *("<script>alert(1)</script>", '"quoted"', "{{ 7 * 7 }}", "{% raw %}", "=?utf-8?q?x=0d=0aBcc:_y?=", "'"),
    *(
        "👩‍👩‍👧‍👦",
        "👍🏽",
        "🇩🇪🇫🇷",
        "❤️",
        "e\u0301\u0323",
        "क्षि",
        "שלום",
        "مرحبا",
        "日本語",
        "😀",
        "\u202eevil",
        "\u2066",
    ),
    *(
        " ",
        "\n",
        "\r\n",
        "\t",
        "\x01",
        "\x1b[31m",
        "\x1b",
        "[0m",
        "\x1b]8;;https://x.example\x1b\\",
        "\x9d0;title",
        "\x9c",
        "\x7f",
        "\u200b",
        "\u2028",
        "\x85",
        "\ufeff",
        "From x",
        ".",
    ),
    *("word ", "W" * 40),
)

pieces = st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def texts(longest: int) -> st.SearchStrategy[str]:
    """Texts of up to `longest` characters, many of them about that long."""
    short = st.lists(pieces, max_size=12).map("".join)
    repeated = st.builds(lambda text, times: text * times, short, st.integers(1, longest))
    return (short | repeated).map(lambda text: text[:longest])


values: st.SearchStrategy[FieldValue] = (
    texts(4096)
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
)


@st.composite
def fields(draw: st.DrawFn) -> tuple[tuple[str, FieldValue], ...]:
    """Up to 100 fields with different names, made of a few drawn ones."""
    drawn = draw(st.lists(st.tuples(texts(256).filter(bool), values), max_size=6))
    times = draw(st.sampled_from([1, 1, 5, 30])) if drawn else 0
    numbered = {name if not n else f"{n}{name}"[:256]: value for n in range(times) for name, value in drawn}
    return tuple(numbered.items())[:100]


notifications: st.SearchStrategy[Notification] = st.builds(
    Notification,
    event_id=st.uuids(),
    delivery_id=st.integers(1, 2**63 - 1),
    category=st.from_regex(r"[a-z0-9-]{1,64}", fullmatch=True),
    emoji=st.sampled_from([None, "💰", "👩‍👩‍👧‍👦", "🏴\U000e0067\U000e0062\U000e007f", "#️⃣", "*️⃣", "🇩🇪", "⚠️"]),
    color=st.sampled_from([0, 0xFFFFFF, 0xFFEB3B]) | st.integers(0, 0xFFFFFF),
    description=texts(4000).filter(lambda text: text.strip() != ""),
    fields=fields(),
    headline=st.none() | texts(200).map(lambda text: " ".join(text.split()) or None),
    url=st.none()
    | texts(300).map(lambda text: f"https://x.example/{''.join(text.split())}")
    | st.sampled_from(
        ["http://nas/", "https://[::1]/a", "http://a.example:99999/", "https://user@b.example/"]
    ),
    created_at=st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)


def as_in_chats(note: Notification) -> Notification:
    """Return what a chat shows: an address that is no link there stands in the text."""
    return note if not note.url or chat_link(note.url) else with_link_in_text(note)


def notification(
    description: str = "User upgraded",
    *fields: tuple[str, FieldValue],
    category: str = "sale",
    emoji: str | None = "💰",
    color: int = 0x2ECC71,
    headline: str | None = None,
    url: str | None = None,
) -> Notification:
    """Return a plain notification, made special by what is given."""
    return Notification(
        event_id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
        delivery_id=7,
        category=category,
        emoji=emoji,
        color=color,
        description=description,
        fields=fields,
        headline=headline,
        url=url,
        created_at=datetime(2026, 11, 23, 8, 5, tzinfo=UTC),
    )
