"""The checks, which are run by `make check` and before each commit."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_a_commit_is_held_to_what_make_check_runs() -> None:
    checks = re.search(r"^check: (.+) ##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]

    assert checks
    assert [hook["entry"] for hook in repository["hooks"]] == [f"make {name}" for name in checks[1].split()]
