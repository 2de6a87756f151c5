"""Programs of Debian's that tests drive."""

import os
import shutil

import pytest


def executable_of(name: str) -> str:
    """Return the path of a program; the test is skipped where there is none, and fails in CI."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if not found and os.environ.get("CI"):
        pytest.fail(f"There is no {name}: .ci/run installs it.")
    return found or pytest.skip(f"There is no {name} on this machine; install it to run this test.")
