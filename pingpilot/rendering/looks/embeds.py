"""A Discord message as it is drawn: its content and its embeds, from Discord's own JSON."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from markupsafe import Markup, escape

from pingpilot.rendering.looks.links import link, with_links

# https://support.discord.com/hc/en-us/articles/210298617, less what only stands at the beginning of a line
_IN = r"(?:\\.|[^\\])+?"
_MARKUP = re.compile(
    r"\\(?P<escaped>[^\sA-Za-z0-9])"
    r"|```(?:[\w+-]*\n)?(?P<block>.+?)\n?```"
    r"|(?P<ticks>`+)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)"
    r"|<(?P<bracketed>https?://[^\s>]+)>"
    r"|(?P<url>https?://[^\s\ufeff<>|`\\]+?(?=[.,:;\"')\]*]*(?:[\s\ufeff<>|`\\]|$)))"
    r"|<@(?P<called>[&!]?)\d+>"
    rf"|\*\*(?P<b>{_IN})\*\*|__(?P<u>{_IN})__|~~(?P<s>{_IN})~~|\|\|(?P<spoiler>{_IN})\|\|"
    rf"|\*(?P<em>{_IN})\*|(?<![A-Za-z0-9])_(?P<i>{_IN})_(?![A-Za-z0-9])",
    re.DOTALL,
)
_DRAWN = {
    "b": Markup("<strong>{}</strong>"),
    "u": Markup("<u>{}</u>"),
    "s": Markup("<s>{}</s>"),
    "em": Markup("<em>{}</em>"),
    "i": Markup("<em>{}</em>"),
    "spoiler": Markup('<span class="spoiler">{}</span>'),
}
"""What stands around a text with markup of its own."""
_NO_COLOR = 0x4E5058


@dataclass(frozen=True, slots=True)
class EmbedField:
    """A field; those that are `inline` stand beside each other."""

    name: Markup
    value: Markup
    inline: bool


@dataclass(frozen=True, slots=True)
class Embed:
    """The framed part of a message, with a coloured edge (`#rrggbb`)."""

    color: str
    title: Markup
    description: Markup
    fields: tuple[EmbedField, ...]
    footer: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class DiscordLook:
    """A Discord message."""

    platform: ClassVar[str] = "discord"

    content: Markup
    embeds: tuple[Embed, ...] = ()


def discord_look(content: str, embeds: Sequence[Mapping[str, Any]]) -> DiscordLook:
    """Return how a message with this content and these embeds looks."""
    return DiscordLook(_shown(content), tuple(map(_embed, embeds)))


def _embed(embed: Mapping[str, Any]) -> Embed:
    title, color, at = _shown(embed.get("title") or ""), embed.get("color"), embed.get("timestamp")
    return Embed(
        color=f"#{_NO_COLOR if color is None else color:06x}",
        title=link(embed["url"], title) if embed.get("url") else title,
        description=_shown(embed.get("description") or ""),
        fields=tuple(
            EmbedField(_shown(each["name"], links=False), _shown(each["value"]), bool(each.get("inline")))
            for each in embed.get("fields") or ()
        ),
        footer=(embed.get("footer") or {}).get("text", ""),
        at=datetime.fromisoformat(at) if at else None,
    )


def _shown(text: str, *, links: bool = True) -> Markup:
    """Return Discord's Markdown as its clients show it; there are no links in names."""
    drawn, end = Markup(), 0
    for found in _MARKUP.finditer(text):
        drawn += _plain(text[end : found.start()]) + _piece(found, with_links if links else escape)
        end = found.end()
    return drawn + _plain(text[end:])


def _piece(found: re.Match[str], linked: Callable[[str], Markup]) -> Markup:
    groups = found.groupdict()
    for name, around in _DRAWN.items():
        if groups[name]:
            return around.format(_shown(groups[name]))
    if groups["escaped"]:
        return escape(groups["escaped"])
    if groups["block"]:
        return Markup('<span class="block">{}</span>').format(groups["block"])
    if groups["code"]:
        return Markup("<code>{}</code>").format(groups["code"].strip())
    if groups["called"] is not None:
        return Markup('<span class="called">@{}</span>').format("role" if groups["called"] == "&" else "user")
    return linked(groups["bracketed"] or groups["url"])


def _plain(text: str) -> Markup:
    return escape(text.replace("\ufeff", ""))
