"""Where the daemons live: in network namespaces of their own, or all on the loopback.

A namespace has three ways out, each a pair of virtual interfaces: to the database, to the platforms, and for
those who post events. One of them goes down without a word to either side, as a pulled cable does.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from tests.support.daemon import free_port

Side = Literal["database", "platforms"]
_WAYS = {"database": 80, "platforms": 81, "clients": 82}
"""The ways out, each with the second number of its addresses."""
_DATABASE = "10.79.0.1"
_FIRST_PORT = 8100
_INSIDE = "FAULTS_INSIDE"
_APART = ("unshare", "--net", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc")
_KEEPALIVE = {"time": 8, "intvl": 3, "probes": 2}
"""Seconds, and how often: of connections on the platforms' side. They end those that a cut has left without a
peer, as real platforms do that hear no heartbeat; nobody else would ever.
"""
_OWN_SHARED_MEMORY = "mount -t tmpfs tmpfs /dev/shm && exec "
"""A killed process leaves its shared memory there, under its number; another one of that number stumbles."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one daemon lives: what its command begins with, where its API listens, and the address at which
    it finds the platforms. No other daemon has these.
    """

    number: int
    prefix: tuple[str, ...]
    host: str
    port: int
    platforms: str


class Network:
    """The places of all daemons. `is_apart` where each has a namespace of its own, and cuts can be made."""

    def __init__(self, places: Sequence[Place], *, database: str, is_apart: bool) -> None:
        self.places = tuple(places)
        self.database = database
        self.is_apart = is_apart

    def cut(self, place: Place, side: Side) -> None:
        """Let nothing through between a daemon and the database, or the platforms."""
        _ip(f"link set {_outer(side, place.number)} down")

    def heal(self, place: Place, side: Side) -> None:
        """Let it through again."""
        _ip(f"link set {_outer(side, place.number)} up")


def why_not_apart() -> str | None:
    """Return why this process can't give the daemons namespaces; None where it can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    if missing := [name for name in ("ip", "unshare", "nsenter") if not shutil.which(name)]:
        return f"{' and '.join(missing)} are not there"
    tried = subprocess.run(
        [*_APART, "sh", "-c", f"{_OWN_SHARED_MEMORY} true"], check=False, capture_output=True
    )
    return tried.stderr.decode().strip() or "namespaces are refused" if tried.returncode else None


def is_inside() -> bool:
    """Return whether `go_inside` has been called."""
    return _INSIDE in os.environ


def go_inside(*command: str) -> NoReturn:
    """Become a command whose network, processes and shared memory are its own: all ends when it does."""
    sys.stdout.flush()
    script = f'{_OWN_SHARED_MEMORY} "$@"'
    words = [*_APART, "sh", "-c", script, "sh", *command]
    os.execvpe(words[0], words, os.environ | {_INSIDE: "yes"})  # noqa: S606


@contextmanager
def loopback(count: int) -> Iterator[Network]:
    """All daemons on this machine's own network."""
    places = [
        Place(each, (), "127.0.0.1", free_port(), f"127.0.0.{10 + each}") for each in range(1, count + 1)
    ]
    yield Network(places, database="127.0.0.1", is_apart=False)


@contextmanager
def namespaces(count: int) -> Iterator[Network]:
    """A namespace for each daemon, within those of `go_inside`; they end with the block."""
    with ExitStack() as stack:
        _ip("link set lo up", f"address add {_DATABASE}/32 dev lo")
        for name, value in _KEEPALIVE.items():  # of this namespace alone
            Path(f"/proc/sys/net/ipv4/tcp_keepalive_{name}").write_text(f"{value}")
        places = []
        for number in range(1, count + 1):
            # A process that does nothing keeps the namespace, whatever becomes of the daemon
            keeper = stack.enter_context(
                subprocess.Popen(
                    ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE
                )
            )
            stack.callback(keeper.kill)
            assert keeper.stdout
            keeper.stdout.readline()  # it is in its namespace
            places.append(_connect(number, keeper.pid))
        yield Network(places, database=_DATABASE, is_apart=True)


def _connect(number: int, keeper: int) -> Place:
    """Lay the ways between this namespace and that of the process."""
    prefix = ("nsenter", f"--net=/proc/{keeper}/ns/net", "--")
    platforms = f"10.79.1.{number}"
    _ip(f"address add {platforms}/32 dev lo")
    inside = ["link set lo up"]
    for way, network in _WAYS.items():
        outer, address = _outer(way, number), f"10.{network}.{number}"
        _ip(
            f"link add {outer} type veth peer name {way} netns {keeper}",
            f"address add {address}.1/24 dev {outer}",
            f"link set {outer} up",
        )
        inside += [f"address add {address}.2/24 dev {way}", f"link set {way} up"]
    inside.append(f"route add {_DATABASE} via 10.{_WAYS['database']}.{number}.1")
    inside.append(f"route add {platforms} via 10.{_WAYS['platforms']}.{number}.1")
    _ip(*inside, prefix=prefix)
    return Place(number, prefix, f"10.{_WAYS['clients']}.{number}.2", _FIRST_PORT + number, platforms)


def _outer(way: str, number: int) -> str:
    return f"{way[:8]}{number}"


def _ip(*commands: str, prefix: Sequence[str] = ()) -> None:
    lines = "".join(f"{each}\n" for each in commands)
    subprocess.run([*prefix, "ip", "-batch", "-"], input=lines.encode(), check=True)
