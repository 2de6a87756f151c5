"""Looks through the built site: every link leads somewhere, and nothing is loaded from another host."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {"script": "src", "img": "src", "source": "srcset", "iframe": "src", "link": "href"}


class _Page(HTMLParser):
    """What one page is made of: its anchors, where it links to, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if (name := _LOADED.get(tag)) and name in given:
            self.loaded.append(given[name])


def problems(site: Path) -> Iterator[str]:
    """Yield a sentence for each link that leads nowhere and for each thing from another host."""
    pages = {path: _Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    pages.pop(site / "404.html", None)  # shown at any address, so that its own begin at the top
    for path, page in pages.items():
        name = path.relative_to(site)
        for address in page.loaded:
            if urlsplit(address).netloc:
                yield f"{name} loads {address} from another host."
        for address in (*page.links, *page.loaded):
            where = urlsplit(address)
            if where.scheme or where.netloc:
                continue
            target = (path.parent / unquote(where.path)).resolve() if where.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                yield f"{name} links to {address}, which is not there."
            elif where.fragment and target in pages and unquote(where.fragment) not in pages[target].anchors:
                yield f"{name} links to {address}, and there is no such heading."
