"""Every program in the documentation runs as it stands there."""

import re
from pathlib import Path

import pytest

from tests.http.api import Api, Program

from .programs import execute

PAGE = Path(__file__).parents[2] / "docs" / "python-client.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
async def test_a_program_of_the_page_runs(program: str, api: Api, shop: Program, tmp_path: Path) -> None:
    settings = {"PINGPILOT_URL": api.url, "PINGPILOT_API_KEY": shop.key}

    ended = await execute(program, settings, tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert await shop.stored_events() > 0 or "did you mean 'sale'" in ended.out


def test_the_page_has_programs() -> None:
    assert len(PROGRAMS) == 7
