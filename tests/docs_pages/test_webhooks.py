"""The programs of docs/webhooks.md take what is signed with their secret, and nothing else."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from models.destination import DestinationKind
from pingpilot.accounts.webhooks import new_webhook_secret
from pingpilot.clock import SystemClock
from pingpilot.delivery.channel import Recipient
from pingpilot.errors import TemporaryFailure
from pingpilot.networks import networks_of
from pingpilot.telemetry.health import Health
from pingpilot.webhook.channel import WebhookChannel
from tests.channels.notifications import SALE
from tests.support.daemon import free_port

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
COMMANDS = {
    "python": ("hook.py", sys.executable, "hook.py"),
    "javascript": ("hook.mjs", "node", "hook.mjs"),
    "go": ("hook.go", "go", "run", "hook.go"),
    "php": ("hook.php", "php", "-S", "127.0.0.1:8000", "hook.php"),
}
PROGRAMS = {
    language: text
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    if language in COMMANDS
}
_PATIENCE = 150.0  # seconds: Go compiles first


@asynccontextmanager
async def running(language: str, folder: Path, secret: str) -> AsyncIterator[str]:
    """Run a program of the page on a free port; yield its address once it listens."""
    port = str(free_port())
    file, *command = COMMANDS[language]
    (folder / file).write_text(PROGRAMS[language].replace("8000", port))
    process = await asyncio.create_subprocess_exec(
        *(each.replace("8000", port) for each in command),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "WEBHOOK_SECRET": secret},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", int(port))
                except OSError:
                    assert process.returncode is None
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield f"http://127.0.0.1:{port}/pingpilot"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)  # what `go run` started, too
        await process.wait()


@pytest.mark.parametrize("language", COMMANDS)
async def test_a_program_takes_what_is_signed_and_nothing_else(language: str, tmp_path: Path) -> None:
    if not shutil.which(COMMANDS[language][1]):
        pytest.skip(f"There is no {COMMANDS[language][1]} on this machine.")
    secret, other = new_webhook_secret(), new_webhook_secret()
    channel = WebhookChannel(health=Health(), clock=SystemClock(), allowed=networks_of(["127.0.0.1"]))

    async with running(language, tmp_path, secret) as url:

        def signed_with(*secrets: str) -> Recipient:
            return Recipient(7, url, kind=DestinationKind.WEBHOOK, secrets=secrets)

        await channel.send(signed_with(secret), SALE)
        await channel.send(signed_with(other, secret), SALE)
        with pytest.raises(TemporaryFailure, match="401"):
            await channel.send(signed_with(other), SALE)


def test_each_language_has_its_program() -> None:
    assert PROGRAMS.keys() == COMMANDS.keys()
