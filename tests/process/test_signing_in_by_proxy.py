"""The snippets of docs/accounts.md in the real nginx and Caddy, with a stand-in of what signs people in."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from api.addresses import TrustedProxies
from models import Session
from tests.http.api import Api, serving
from tests.support.clock import ManualClock
from tests.support.daemon import free_port
from tests.support.executables import executable_of
from tests.support.waiting import comes_true

PAGE = (Path(__file__).parents[2] / "docs" / "accounts.md").read_text()
PEOPLE = {"ada": "ada@example.com", "eve": "eve@example.com"}
Proxy = Callable[[Path, int, int, int], tuple[str, ...]]
"""Returns the command that runs a proxy, by its folder, its port, the daemon's and that of who signs in."""


def nginx(folder: Path, port: int, upstream: int, authority: int) -> tuple[str, ...]:
    [block] = re.findall(r"```nginx\n(.*?)```", PAGE, re.DOTALL)
    block = block.replace(":8080", f":{upstream}").replace(":9091", f":{authority}")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{ access_log off; {folders}\nserver {{ listen 127.0.0.1:{port};\n{block} }} }}"
    )
    return executable_of("nginx"), "-e", "stderr", "-c", str(folder / "nginx.conf")


def caddy(folder: Path, port: int, upstream: int, authority: int) -> tuple[str, ...]:
    [block] = re.findall(r"```text\n(ping\.example\.com.*?)```", PAGE, re.DOTALL)
    block = block.replace("ping.example.com", f"http://127.0.0.1:{port}")
    block = block.replace(":8080", f":{upstream}").replace(":9091", f":{authority}")
    (folder / "Caddyfile").write_text(f"{{\nauto_https off\nskip_install_trust\nadmin off\n}}\n{block}")
    return executable_of("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")


async def judge(request: web.Request) -> web.Response:
    """Know people by a cookie, as Authelia does."""
    if email := PEOPLE.get(request.cookies.get("who", "")):
        return web.Response(headers={"Remote-Email": email})
    return web.Response(status=401)


@asynccontextmanager
async def proxied(proxy: Proxy, api: Api, folder: Path) -> AsyncIterator[str]:
    """Run the proxy before the API; yield its address."""
    app = web.Application()
    app.router.add_route("*", "/api/authz/{kind}", judge)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port, upstream = free_port(), int(api.url.rpartition(":")[2])
    command = proxy(folder, port, upstream, runner.addresses[0][1])
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"

    async def is_up() -> bool:
        assert process.returncode is None
        try:
            async with api.session.get(f"{url}/healthz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    try:
        await comes_true(is_up, "the proxy to be up")
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await runner.cleanup()


@pytest.mark.parametrize("proxy", [nginx, caddy])
async def test_a_proxy_signs_in_whom_it_knows_and_nobody_speaks_for_it(
    proxy: Proxy, sqlite: str, clock: ManualClock, tmp_path: Path
) -> None:
    async with serving(clock) as api:
        ada, eve = [await api.sign_up(email) for email in PEOPLE.values()]
        api.services.sign_in_header, api.services.proxies = "Remote-Email", TrustedProxies(["127.0.0.1"])
        spoofed = {"Accept": "text/html", "Remote-Email": "eve@example.com", "X-Forwarded-For": "127.0.0.1"}
        async with proxied(proxy, api, tmp_path) as url:

            async def ask(path: str, **headers: str) -> tuple[int, str]:
                asked = {**spoofed, **headers}
                async with api.session.get(url + path, headers=asked, allow_redirects=False) as answer:
                    return answer.status, await answer.text()

            unknown = [await ask(path) for path in ("/", "/operator", "/api/../events", "/api/%2e%2e/events")]
            unknown_session = await Session.exists()
            api.session.cookie_jar.clear()
            known = await ask("/settings/sessions", Cookie="who=ada")
            key = {"Authorization": f"Bearer {eve.key}", "Accept": "*/*"}
            quota = await ask("/api/v1/quota", **key)

            assert not any(status == 200 for status, _ in unknown)
            assert not unknown_session
            assert known[0] == 200
            assert "ada@example.com" in known[1]
            assert "eve@example.com" not in known[1]
            assert quota[0] == 200
            assert [each.account_id for each in await Session.all()] == [ada.account.id]
