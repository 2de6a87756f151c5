"""The systemd unit."""

from configparser import RawConfigParser
from pathlib import Path

import pytest

from pingpilot.daemon.daemon import GRACE

UNIT = Path(__file__).parents[2] / "deploy" / "pingpilot.service"


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
