"""Replies to chat users as plain data; each platform writes them in its own markup."""

from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Bold:
    """Text that stands out."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Text to be copied as it is."""

    text: str


Span = str | Bold | Code
Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """A button below a reply. `id` comes back when it is pressed, or when somebody forges that: it is
    looked at like any other input. Telegram takes 64 bytes of it.
    """

    label: str
    id: str


@dataclass(frozen=True, slots=True)
class Link:
    """A button below a reply that opens an address."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command answers, line by line, with the buttons below."""

    lines: tuple[Line, ...]
    actions: tuple[Action, ...] = ()
    links: tuple[Link, ...] = ()

    @classmethod
    def of(cls, *lines: str | Line) -> "Reply":
        """Return a reply of lines, each a plain text or a tuple of spans."""
        return cls(tuple((line,) if isinstance(line, str) else line for line in lines))

    def with_links(self, *links: Link) -> "Reply":
        """Return the reply with these buttons below it."""
        return replace(self, links=links)

    @property
    def headline(self) -> str:
        """The first line without markup."""
        return "".join(span if isinstance(span, str) else span.text for span in self.lines[0])

    def written(self, write: Callable[[Span], str], measure: Callable[[str], int], limit: int) -> str:
        """Return the reply in a platform's markup; what goes beyond `limit` is counted, not shown."""
        texts = ["".join(write(span) for span in line) for line in self.lines]
        whole = "\n".join(texts)
        kept = len(texts)
        while kept and measure(whole) > limit:
            kept -= 1
            whole = "\n".join([*texts[:kept], write(f"… and {len(texts) - kept} more lines")])
        return whole
