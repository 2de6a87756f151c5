"""The Dockerfile and the Compose files, as far as they can be checked without a container engine."""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from api.app import CALLS
from pingpilot import __version__
from pingpilot.config import PREFIX, Settings
from tests.support.daemon import execute

ROOT = Path(__file__).parents[2]
VARIABLES = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def compose(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def named_in(text: str) -> set[str]:
    return set(re.findall(rf"\b{PREFIX}[A-Z_]+", text))


@pytest.mark.parametrize(
    "file", ["Dockerfile", "compose.yaml", "compose.postgres.yaml", "deploy/pingpilot.service"]
)
def test_only_settings_that_there_are_are_set(file: str) -> None:
    named = named_in((ROOT / file).read_text())

    assert named <= VARIABLES


def test_what_is_copied_into_the_image_exists_and_is_not_ignored() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {name for line in copied for name in line.split()}
    kept = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE))

    assert all((ROOT / name).exists() for name in sources)
    assert sources == kept


def test_the_image_does_not_run_as_root_and_keeps_its_data_in_a_volume() -> None:
    lines = DOCKERFILE.splitlines()

    assert "USER pingpilot" in lines
    assert "VOLUME /data" in lines
    assert lines.index("USER pingpilot") < lines.index('CMD ["pingpilot", "run"]')


@pytest.mark.parametrize("port_is_set", [True, False])
async def test_the_health_check_asks_the_port_that_is_set(port_is_set: bool) -> None:
    found = re.search(r"HEALTHCHECK[^[]*CMD (\[.+\])", DOCKERFILE)
    assert found
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    async with serving_gets(answer) as port:
        _python, *words = json.loads(found[1])
        if not port_is_set:  # 8080, which need not be free here
            words[-1] = words[-1].replace("'8080'", f"'{port}'")
        settings = {"PINGPILOT_HTTP_PORT": str(port) if port_is_set else ""}
        ended = await execute(sys.executable, *words, settings=settings, folder=ROOT)

    assert (ended.code, ended.err) == (0, "")
    assert asked[0] in {call.path for call in CALLS if call.scope is None}


def test_the_port_is_the_same_everywhere() -> None:
    (published,) = compose("compose.yaml")["services"]["pingpilot"]["ports"]

    assert f"EXPOSE {Settings.model_fields['http_port'].default}" in DOCKERFILE
    assert published.endswith(":8080:${PINGPILOT_HTTP_PORT:-8080}")  # Compose reads .env, too
    assert published.startswith("127.0.0.1:")


def test_compose_keeps_data_and_gives_a_stop_its_time() -> None:
    service = compose("compose.yaml")["services"]["pingpilot"]

    assert service["volumes"] == ["data:/data"]
    assert service["stop_grace_period"] == "30s"
    assert service["restart"] == "unless-stopped"


def test_postgresql_is_waited_for_and_its_password_never_has_a_default() -> None:
    services = compose("compose.postgres.yaml")["services"]
    url = services["pingpilot"]["environment"]["PINGPILOT_DATABASE_URL"]
    password = services["postgres"]["environment"]["POSTGRES_PASSWORD"]

    assert services["pingpilot"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert password.startswith("${POSTGRES_PASSWORD:?")
    assert password in url
    assert Settings(database_url=url.replace(password, "secret")).database.endswith(
        "@postgres:5432/pingpilot"
    )


def test_what_is_installed_has_every_file_that_is_read_at_run_time(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")

    packed = set(zipfile.ZipFile(wheel).namelist())

    read = {
        str(file.relative_to(ROOT))
        for package in ("pingpilot", "bots", "api", "models")
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert read <= packed
    assert wheel.name.startswith(f"pingpilot-{__version__}-")


@asynccontextmanager
async def serving_gets(handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("answers", ["docker", "podman"])
def test_the_image_is_built_by_the_engine_that_answers(answers: str, tmp_path: Path) -> None:
    ended = make_image(tmp_path, answers)

    assert (ended.returncode, ended.stdout) == (0, f"{answers} build --tag pingpilot .\n")


def test_without_an_engine_one_sentence_says_so(tmp_path: Path) -> None:
    ended = make_image(tmp_path, "none")

    assert ended.returncode != 0
    assert ended.stderr.startswith("An image needs Docker or Podman, and neither answers on this machine")


def make_image(folder: Path, answers: str) -> subprocess.CompletedProcess[str]:
    """Run `make image` with a client of each engine, of which at most one has an engine behind it."""
    for name in ("docker", "podman"):
        client = folder / name
        client.write_text(f'#!/bin/sh\n[ "$1" = info ] && exit {int(name != answers)}\necho {name} "$@"\n')
        client.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(
        ["make", "--silent", "image"],
        cwd=ROOT,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
