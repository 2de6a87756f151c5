"""Objects that must start anew in a forked process, where other threads' locks stay locked for ever."""

import os
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """Something with locks, threads or connections."""

    def _renew(self) -> None: ...


_LIVING: WeakSet[Renewable] = WeakSet()


def renew_after_fork(thing: Renewable) -> None:
    """Have `thing` renewed in each child process, as long as it lives."""
    _LIVING.add(thing)


def _renew_all() -> None:
    for thing in list(_LIVING):
        thing._renew()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_renew_all)
