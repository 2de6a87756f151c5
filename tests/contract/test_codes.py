"""The catalogue of error codes is what the code raises and what people read."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.app import CALLS
from api.errors import CODES
from api.openapi.replies import codes_of, example_of
from pingpilot.channels import CHANNELS

ROOT = Path(__file__).parents[2]
SOURCES = [path for path in (ROOT / "api").rglob("*.py") if path.name != "codes.py"]
UNLINKED = [kind.unlinked_code for kind in CHANNELS.values() if kind.unlinked_code]
_CODE = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")
_ROW = re.compile(r"^\| (\d{3}) \| (.*) \|$", re.MULTILINE)


def raised() -> Iterator[tuple[int | None, str]]:
    """Yield the status, where it stands there as a number, and code of every `ApiError` in the sources."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name("ApiError"), args=[ast.Constant(int(status)), ast.Constant(str(code)), *_]
                ):
                    yield status, code
                case ast.Call(func=ast.Name("ApiError"), args=[_, ast.Constant(str(code)), *_]):
                    yield None, code


def listed() -> set[tuple[int, str]]:
    """Return the statuses and codes of the README's table."""
    rows = _ROW.findall((ROOT / "README.md").read_text())
    return {(int(status), code) for status, text in rows for code in _CODE.findall(text)}


def test_every_code_that_is_raised_is_in_the_catalogue_and_no_other() -> None:
    codes = {code for _, code in raised()} | set(UNLINKED)

    assert codes == set(CODES)


def test_a_code_is_raised_with_its_status() -> None:
    raised_with = {(status, code) for status, code in raised() if status is not None}

    assert len(raised_with) > 10
    assert all(CODES[code].status == status for status, code in raised_with)


def test_the_readme_lists_every_code_with_its_status_and_no_other() -> None:
    assert listed() == {(code.status, name) for name, code in CODES.items()}


def test_a_call_names_codes_of_the_catalogue_alone() -> None:
    named = {code for call in CALLS for code in codes_of(call)}

    assert named <= set(CODES)
    assert set(CODES) - named == {"method_not_allowed"}  # of no call, but of any address


@pytest.mark.parametrize("code", CODES)
def test_an_example_has_the_shape_of_its_code(code: str) -> None:
    example = CODES[code].shape.model_validate(example_of(code))

    assert (
        example.model_dump(by_alias=True, exclude_unset=True, mode="json").keys() == example_of(code).keys()
    )
