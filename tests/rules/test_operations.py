"""The metrics' documentation: each metric stands in the table, the alerts name nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from pingpilot.telemetry.metrics import Metrics

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
ROW = re.compile(r"^\| `((?:pingpilot|process)_\w+)` \| (\w+) \| ", re.MULTILINE)
TYPE = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)
SAMPLES_OF = {"histogram": ("_bucket", "_sum", "_count")}


def shown() -> dict[str, str]:
    """Return the type of each metric by the name that stands in `/metrics`."""
    return dict(TYPE.findall(generate_latest(Metrics().registry).decode()))


def alerts() -> list[dict[str, Any]]:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    [groups] = [block["groups"] for block in map(yaml.safe_load, blocks) if "groups" in block]
    return [rule for group in groups for rule in group["rules"]]


def test_every_metric_stands_in_the_table_and_no_other() -> None:
    assert dict(ROW.findall(PAGE)) == shown()


def test_there_are_alerts() -> None:
    assert len({rule["alert"] for rule in alerts()}) == len(alerts()) >= 5


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_is_whole_and_names_metrics_that_there_are(rule: dict[str, Any]) -> None:
    samples = {name + suffix for name, type_ in shown().items() for suffix in SAMPLES_OF.get(type_, ("",))}

    named = set(re.findall(r"pingpilot_\w+", rule["expr"]))

    assert named
    assert named <= samples
    assert rule["expr"].count("(") == rule["expr"].count(")")
    assert rule["annotations"]["summary"]
    assert rule["labels"]["severity"] in ("page", "ticket")
