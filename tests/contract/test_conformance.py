"""The running daemon does what its OpenAPI document says: schemathesis tries to show otherwise."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from api.app import CALLS
from tests.support.daemon import Daemon

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("schemathesis.toml")
_SCHEMATHESIS = (sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run")


@pytest.mark.timeout(240)
async def test_every_call_does_what_the_document_says(daemon: Daemon, key: str) -> None:
    code, report = await _schemathesis(daemon.base_url, key)

    assert code == 0, report
    assert f"Tested: {len(CALLS)}" in report
    assert all(f"✅ {phase}" in report for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"))
    assert "Traceback" not in daemon.log


async def _schemathesis(url: str, key: str) -> tuple[int, str]:
    """Run all checks on all calls; return the exit code and the report."""
    process = await asyncio.create_subprocess_exec(
        *_SCHEMATHESIS,
        f"{url}/openapi.json",
        *("--url", url, "--checks", "all", "--no-color"),
        env={**os.environ, "API_KEY": key, "PYTHONPATH": str(ROOT)},
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode()
