"""The Dockerfile and the Compose files, as far as they can be checked without a container engine."""

import asyncio
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

import aiohttp
import pytest
import yaml
from aiohttp import web

from api.app import CALLS
from pingpilot import __version__
from pingpilot.config import PREFIX, Settings
from tests.support.daemon import execute, free_port
from tests.support.executables import executable_of
from tests.support.waiting import comes_true

ROOT = Path(__file__).parents[2]
VARIABLES = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def compose(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def named_in(text: str) -> set[str]:
    return set(re.findall(rf"\b{PREFIX}[A-Z_]+", text))


@pytest.mark.parametrize(
    "file",
    ["Dockerfile", "compose.yaml", "compose.postgres.yaml", "compose.scale.yaml", "deploy/pingpilot.service"],
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


def test_three_daemons_share_a_postgresql_behind_a_proxy_that_they_trust() -> None:
    scale, alone = compose("compose.scale.yaml"), compose("compose.yaml")["services"]["pingpilot"]
    services = scale["services"]
    daemon, environment = services["pingpilot"], services["pingpilot"]["environment"]
    [subnet] = scale["networks"]["default"]["ipam"]["config"]
    url = re.sub(r"\$\{.*\}", "secret", environment["PINGPILOT_DATABASE_URL"])
    settings = Settings(database_url=url, trusted_proxies=environment["PINGPILOT_TRUSTED_PROXIES"])

    assert services["postgres"] == compose("compose.postgres.yaml")["services"]["postgres"]
    assert daemon["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert settings.database.endswith("@postgres:5432/pingpilot")
    assert settings.trusted_proxies == (subnet["subnet"],)
    own = {"scale", "environment", "depends_on"}
    assert {name: daemon[name] for name in daemon.keys() - own} == {
        name: alone[name] for name in alone.keys() - {"ports", "volumes"}
    }
    assert daemon["scale"] == 3
    assert services["proxy"]["ports"] == ["127.0.0.1:8080:8080"]


async def test_the_proxy_before_three_daemons_asks_one_that_lives(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.headers["X-Forwarded-For"])
        return web.Response()

    file = (ROOT / "deploy" / "scale.Caddyfile").read_text()
    [(name, port)] = re.findall(r"dynamic a (\w+) (\d+)", file)
    assert name in compose("compose.scale.yaml")["services"]
    assert int(port) == compose("compose.scale.yaml")["services"][name]["environment"]["PINGPILOT_HTTP_PORT"]
    async with serving_gets(answer) as upstream:
        # On localhost nobody listens at ::1, as with a daemon that was killed
        file = file.replace(f"{name} {port}", f"localhost {upstream}").replace(
            ":8080 {", f":{(own := free_port())} {{"
        )
        (tmp_path / "Caddyfile").write_text(file)
        process = await asyncio.create_subprocess_exec(
            executable_of("caddy"),
            "run",
            "--config",
            str(tmp_path / "Caddyfile"),
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{own}") as session:

                async def is_up() -> bool:
                    try:
                        async with session.get("/healthz") as reply:
                            return reply.status == 200
                    except aiohttp.ClientError:
                        return False

                await comes_true(is_up, "the proxy to answer", timeout=60)
                statuses = {(await session.get("/healthz")).status for _ in range(10)}
                metrics = (await session.get("/metrics")).status
        finally:
            process.kill()
            await process.wait()

    assert (statuses, metrics, set(asked)) == ({200}, 404, {"127.0.0.1"})


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
