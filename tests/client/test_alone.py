"""`pingpilot-client`: the client as a distribution of its own, in an environment without PingPilot."""

import json
import re
import subprocess
import sys
import venv
import zipfile
from email import message_from_bytes
from importlib import metadata
from pathlib import Path

import pytest

from pingpilot import __version__
from tests.http.api import Api, Program
from tests.support.daemon import execute

ROOT = Path(__file__).parents[2]
INSTALLED = {each.name for each in metadata.distributions()}
SENDS = """
import asyncio, importlib.util, json, logging, sys
from pingpilot_client import AsyncClient, CategoryNotFound, Client, PingPilotHandler

handler = PingPilotHandler("sale")
logging.getLogger().addHandler(handler)
logging.error("By the handler")
handler.close()

with Client() as client:
    sent = client.send("sale", "By the client", fields={"amount": 99.99})
    shown = client.event(sent.event_id)
    agent = client._connection.options()["headers"]["user-agent"]
    try:
        client.send("sales")
    except CategoryNotFound as error:
        problem = str(error)


async def main():
    async with AsyncClient() as client:
        return await client.send("sale", "By the other client")


asyncio.run(main())
ours = ("pingpilot", "api", "bots", "models")
print(json.dumps({
    "agent": agent,
    "description": shown.description,
    "problem": problem,
    "server": [name for name in ours if importlib.util.find_spec(name)],
}))
"""
WITHOUT_SETTINGS = "import pingpilot_client; pingpilot_client.PingPilotHandler()"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client's distribution, as somebody would install it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT / "clients" / "python", check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that has the wheel and httpx, and neither PingPilot nor what that needs."""
    folder = tmp_path_factory.mktemp("program")
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    for path in files_of("httpx"):
        (packages / path.name).symlink_to(path)
    python = str(folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-index", "--no-deps", wheel], check=True, capture_output=True)
    subprocess.run([*pip, "check"], check=True, capture_output=True)
    return python


def test_the_wheel_holds_one_package_and_needs_httpx_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = message_from_bytes(archive.read(f"pingpilot_client-{__version__}.dist-info/METADATA"))

    assert {name.partition("/")[0] for name in names} == {
        "pingpilot_client",
        f"pingpilot_client-{__version__}.dist-info",
    }
    source = {path.name for path in (ROOT / "pingpilot" / "client").glob("*.py")}
    assert {f"pingpilot_client/{name}" for name in (*source, "py.typed", "LICENSE")} <= names
    assert about.get_all("Requires-Dist") == ["httpx>=0.28"]
    assert about["Version"] == __version__


async def test_a_program_that_has_the_client_alone_sends(
    python: str, api: Api, shop: Program, tmp_path: Path
) -> None:
    settings = {"PINGPILOT_URL": api.url, "PINGPILOT_API_KEY": shop.key}

    ended = await execute(python, "-I", "-c", SENDS, settings=settings, folder=tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {
        "agent": f"pingpilot-client/{__version__}",
        "description": "By the client",
        "problem": "There is no category 'sales': did you mean 'sale'?",
        "server": [],
    }
    assert await shop.stored_events() == 3


async def test_it_speaks_of_itself_by_its_own_name(python: str, tmp_path: Path) -> None:
    ended = await execute(python, "-I", "-c", WITHOUT_SETTINGS, settings={}, folder=tmp_path)

    assert ended.err.startswith("pingpilot_client: log records are not sent.")


def files_of(name: str) -> set[Path]:
    """Return the top-level files and folders of a distribution and of all that it needs here."""
    found: set[Path] = set()
    waiting, seen = [name], set[str]()
    while waiting:
        seen.add(name := waiting.pop())
        distribution = metadata.distribution(name)
        tops = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
        found |= {Path(str(distribution.locate_file(top))) for top in tops}
        needed = {
            re.split(r"[^\w.-]", text)[0] for text in distribution.requires or () if "extra ==" not in text
        }
        waiting += sorted((needed & INSTALLED) - seen)
    return found
