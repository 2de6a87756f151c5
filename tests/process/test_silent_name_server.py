"""A name server that never answers: it holds neither a stop nor a command."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import command, environment, execute, free_port
from tests.support.waiting import comes_true

SILENT = f"127.{os.getpid() >> 16 & 255}.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"
"""An address of this machine that no other test process listens on."""
IN_TIME = 20.0  # seconds, on a machine that is busy; the resolver alone would take minutes
DATABASE = {"PINGPILOT_DATABASE_URL": "postgres://somebody@db.example.com/pingpilot"}
CHANNELS = {
    "discord": {"PINGPILOT_DISCORD_TOKEN": "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs"},
    "telegram": {"PINGPILOT_TELEGRAM_TOKEN": "123456:AAF9x-abcdefghijklmnopqrstuvwxyz01234"},
}


@pytest.fixture
def in_silence(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """The words that go before a command, for which no name is ever looked up to an end."""
    resolver = tmp_path / "resolv.conf"
    resolver.write_text(f"nameserver {SILENT}\noptions timeout:30 attempts:5\n")
    script = f'mount --bind {resolver} /etc/resolv.conf && exec "$@"'
    words = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        try:
            server.bind((SILENT, 53))
        except OSError:
            pytest.skip("needs the right to listen on port 53")
        if not shutil.which("unshare") or subprocess.run([*words, "true"], check=False).returncode:
            pytest.skip("needs the right to mount")
        yield words


@pytest.mark.parametrize("channel", CHANNELS)
async def test_it_holds_no_stop(
    in_silence: tuple[str, ...], sqlite_url: str, tmp_path: Path, channel: str
) -> None:
    settings = {
        "PINGPILOT_DATABASE_URL": sqlite_url,
        "PINGPILOT_HTTP_PORT": str(free_port()),
        **CHANNELS[channel],
    }
    log = tmp_path / "daemon.log"
    with log.open("w") as file:
        words = (*in_silence, sys.executable, "-m", "pingpilot", "run")
        process = await asyncio.create_subprocess_exec(
            *words, env=environment(settings), cwd=tmp_path, stderr=file
        )
    try:

        async def looks_up() -> bool:
            return f"{channel} is connecting" in log.read_text()

        await comes_true(looks_up, "the daemon to look a name up", timeout=60)
        await asyncio.sleep(1)  # nothing tells that the look-up has begun
        process.terminate()
        began = time.monotonic()
        async with asyncio.timeout(IN_TIME):
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert code == 0
    assert time.monotonic() - began < IN_TIME


@pytest.mark.parametrize("words", [("run",), ("account", "list")])
async def test_a_database_whose_name_nobody_knows_is_one_sentence(
    in_silence: tuple[str, ...], tmp_path: Path, words: tuple[str, ...]
) -> None:
    ended = await execute(
        *in_silence, sys.executable, "-m", "pingpilot", *words, settings=DATABASE, folder=tmp_path
    )

    assert ended.code == 2
    assert ended.err == (
        "Error: The database can't be used (TimeoutError: no answer in time, at db.example.com): "
        "check PINGPILOT_DATABASE_URL.\n"
    )


async def test_a_command_says_all_before_it_leaves(tmp_path: Path) -> None:
    ended = await command("doctor", settings={"PINGPILOT_HTTP_PORT": "0"}, folder=tmp_path)

    assert ended.code == 0
    assert "nobody to compare with" in ended.out.splitlines()[-1]
