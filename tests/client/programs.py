"""Small programs with a `PingPilotHandler`, run as processes of their own."""

import sys
from pathlib import Path

from tests.support import daemon
from tests.support.daemon import Ended

BEGIN = """
import logging, os, sys
from pingpilot.client import PingPilotHandler
handler = PingPilotHandler()
logging.getLogger().addHandler(handler)
"""


async def run(program: str, url: str, folder: Path, *arguments: str) -> Ended:
    """Run a program after `BEGIN`, to its end."""
    settings = {"PINGPILOT_URL": url, "PINGPILOT_API_KEY": "pp_key"}
    return await execute(BEGIN + program, settings, folder, *arguments)


async def execute(program: str, settings: dict[str, str], folder: Path, *arguments: str) -> Ended:
    """Run a program to its end."""
    return await daemon.execute(sys.executable, "-c", program, *arguments, settings=settings, folder=folder)
