"""Brings together what the site is built of: the repository's pages, with links that hold on the site."""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
_TOP = {"README.md": "index.md"} | {
    name: name.lower() for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
}
_FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]+)?\)")
_ATTRIBUTE = re.compile(r'\b(src|srcset|href)="(?!\w+:|#)([^"#]+)"')


def stage(folder: Path) -> None:
    """Fill a new folder with the pages, the pictures, and the files that pages link to."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = {path.relative_to(ROOT): path.name for path in sorted((ROOT / "docs").glob("*.md"))}
    pages |= {Path(name): shown for name, shown in _TOP.items()}
    linked: dict[str, Path] = {}
    for path, shown in pages.items():
        target = folder / shown
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_as_on_site((ROOT / path).read_text(), path, pages, linked))
    for shown, source in linked.items():
        target = folder / shown
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.exists():  # what is missing is told of by `checking`
            shutil.copyfile(source, target)


def _as_on_site(text: str, page: Path, pages: Mapping[Path, str], linked: dict[str, Path]) -> str:
    """Return a page with the addresses that its links have on the site; `linked` gathers files to copy."""

    def address(given: str) -> str | None:
        """Return a link's address on the site; None for a folder, which the site has not."""
        target = Path(os.path.normpath(page.parent / given))
        if target in pages:
            return pages[target]
        if target.parent.name == "images":
            shown = f"images/{target.name}"
        elif (ROOT / target).is_dir():
            return None
        elif not (ROOT / target).exists():  # told of when the site is built
            return given
        else:  # browsers show text and would save anything else
            shown = f"files/{str(target).lstrip('.')}.txt"
        linked[shown] = ROOT / target
        return shown

    def link(found: re.Match[str]) -> str:
        there = address(found[2])
        return f"[{found[1]}]({there}{found[3] or ''})" if there else found[1]

    def attribute(found: re.Match[str]) -> str:
        return f'{found[1]}="{address(found[2])}"'

    return outside_fences(text, lambda prose: _ATTRIBUTE.sub(attribute, _LINK.sub(link, prose)))


def outside_fences(text: str, change: Callable[[str], str]) -> str:
    """Change what stands outside of a page's fenced blocks."""
    changed, end = [], 0
    for fence in _FENCE.finditer(text):
        changed += [change(text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*changed, change(text[end:])])
