"""Several names in one column, joined by commas; null means all there are."""

from collections.abc import Iterable

_SEPARATOR = ","


def joined(names: Iterable[str] | None) -> str | None:
    """Return names as they are stored; None, which means all, stays None."""
    return None if names is None else _SEPARATOR.join(names)


def split(stored: str | None) -> tuple[str, ...] | None:
    """Return stored names; None, which means all, stays None."""
    return None if stored is None else tuple(name for name in stored.split(_SEPARATOR) if name)
