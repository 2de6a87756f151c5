"""Small programs with a `PingPilotHandler`, run as processes of their own."""

import asyncio
import sys
from pathlib import Path

from tests.support.daemon import ENDS_WITHIN, Ended, environment

BEGIN = """
import logging, os, sys
from pingpilot.client import PingPilotHandler
handler = PingPilotHandler()
logging.getLogger().addHandler(handler)
"""


async def run(program: str, url: str, folder: Path) -> Ended:
    """Run a program after `BEGIN`, to its end."""
    settings = {"PINGPILOT_URL": url, "PINGPILOT_API_KEY": "pp_key"}
    return await execute(BEGIN + program, settings, folder)


async def execute(program: str, settings: dict[str, str], folder: Path) -> Ended:
    """Run a program to its end."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=environment(settings), cwd=folder, stdout=pipe, stderr=pipe
    )
    try:
        async with asyncio.timeout(ENDS_WITHIN):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode or 0, out.decode(), err.decode())
