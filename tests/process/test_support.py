"""What the tests of processes stand on: ports that stay theirs, and a daemon whose end is told."""

import socket
from pathlib import Path

import pytest

from tests.support.daemon import a_daemon, free_port


async def test_a_daemon_that_can_not_start_is_reported_with_its_log(sqlite_url: str, tmp_path: Path) -> None:
    settings = {"PINGPILOT_LOG_LEVEL": "LOUD"}
    async with a_daemon(settings, database_url=sqlite_url, folder=tmp_path) as daemon:
        with pytest.raises(AssertionError, match=r"ended with 2:\nError: PINGPILOT_LOG_LEVEL"):
            await daemon.start()


def test_a_port_is_kept_for_the_server_that_asks_for_it_again_and_again() -> None:
    port = free_port()

    for _ in range(2):
        server = socket.create_server(("127.0.0.1", port))
        with server, socket.create_connection(("127.0.0.1", port)) as caller, server.accept()[0]:
            taken = caller.getpeername()[1]

    assert taken == port


def test_a_port_is_given_to_nobody_else_and_refuses_connections() -> None:
    port = free_port()

    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
