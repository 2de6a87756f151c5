"""The systemd unit."""

import os
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from pingpilot.daemon.daemon import GRACE

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT, SCRIPT = DEPLOY / "pingpilot.service", DEPLOY / "pingpilot"


@pytest.fixture(scope="module")
def service() -> dict[str, str]:
    parser = RawConfigParser(strict=False, comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return dict(parser["Service"])


def test_the_service_runs_the_daemon_for_ever_and_not_as_root(service: dict[str, str]) -> None:
    assert service["ExecStart"].endswith("/pingpilot run")
    assert service["Restart"] == "always"
    assert service["DynamicUser"] == "yes"


def test_the_service_may_write_its_own_folder_alone(service: dict[str, str]) -> None:
    assert service["ProtectSystem"] == "strict"
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    assert service["Environment"] == f"PINGPILOT_DATA_DIR=/var/lib/{service['StateDirectory']}"


def test_a_stop_has_longer_than_the_daemon_takes(service: dict[str, str]) -> None:
    assert float(service["TimeoutStopSec"]) > 2 * GRACE.total_seconds()


def test_commands_beside_it_run_as_the_daemon_does(service: dict[str, str], tmp_path: Path) -> None:
    stand_in = tmp_path / "systemd-run"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stand_in.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"

    ran = subprocess.run(
        [SCRIPT, "send", "sale", "--description", "two words"],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    words = ran.stdout.splitlines()
    given = dict(
        word.removeprefix("--property=").split("=", 1) for word in words if word.startswith("--property=")
    )
    program = service["ExecStart"].split()[0]
    assert given == {name: service[name] for name in given}
    assert {"DynamicUser", "User", "StateDirectory", "EnvironmentFile", "Environment"} <= given.keys()
    assert words[words.index(program) :] == [program, "send", "sale", "--description", "two words"]
