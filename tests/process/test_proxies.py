"""The configurations of docs/operations.md, in the real nginx and Caddy before a daemon; ports differ."""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.support.daemon import a_daemon, free_port
from tests.support.executables import executable_of
from tests.support.platforms import Platforms
from tests.support.waiting import comes_true

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
SECTION = PAGE[PAGE.index("## A reverse proxy") : PAGE.index("## Backup")]
AT_ROOT, BELOW_A_PATH = "https://ping.example.com", "https://example.com/ping"
Proxy = Callable[[Path, int, int], tuple[str, ...]]
"""Returns the command that runs a proxy, by its folder, its port and the daemon's."""


def nginx(folder: Path, port: int, upstream: int) -> tuple[str, ...]:
    """The block below a path stands in a server of its own, with the head of the page's."""
    executable = executable_of("nginx")
    at_root, below_a_path = re.findall(r"```nginx\n(.*?)```", SECTION, re.DOTALL)
    head = at_root.partition("location")[0].replace("server_name ping.", "server_name ")
    blocks = f"{at_root}\n{head}\n{below_a_path} }}"
    blocks = blocks.replace("/etc/letsencrypt/live/ping.example.com", str(folder))
    blocks = blocks.replace("listen 443", f"listen 127.0.0.1:{port}").replace(":8080", f":{upstream}")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""  # else it could not open the test's folders
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{ access_log off; {folders}\n{blocks} }}"
    )
    certificate = trustme.CA().issue_cert("ping.example.com", "example.com")
    certificate.private_key_pem.write_to_path(str(folder / "privkey.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "fullchain.pem"))
    return executable, "-e", "stderr", "-c", str(folder / "nginx.conf")


def caddy(folder: Path, port: int, upstream: int) -> tuple[str, ...]:
    """Its certificates are of its own making."""
    executable = executable_of("caddy")
    sites = "\n".join(re.findall(r"```text\n((?:ping\.)?example\.com \{.*?)```", SECTION, re.DOTALL))
    options = f"local_certs\nskip_install_trust\nadmin off\nhttps_port {port}\nhttp_port {free_port()}"
    (folder / "Caddyfile").write_text(f"{{\n{options}\n}}\n{sites.replace(':8080', f':{upstream}')}")
    return executable, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")


class ThisMachine(AbstractResolver):
    """Every name leads here."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)
        return [found]

    async def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def behind(
    proxy: Proxy, base: str, upstream: str, folder: Path
) -> AsyncIterator[aiohttp.ClientSession]:
    """Run a proxy; yield a session whose addresses are below `base`, and that nobody trusts as a proxy."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *proxy(folder, port, int(upstream.rpartition(":")[2])),
        env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)},
    )
    _, scheme, rest = base.partition("https://")
    host, slash, path = rest.partition("/")
    connector = aiohttp.TCPConnector(resolver=ThisMachine(), local_addr=("127.0.0.2", 0), ssl=False)
    session = aiohttp.ClientSession(f"{scheme}{host}:{port}{slash}{path}/", connector=connector)

    async def is_up() -> bool:
        try:
            async with session.get("healthz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    try:
        await comes_true(is_up, "the proxy to answer", timeout=60)
        yield session
    finally:
        await session.close()
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("base", [AT_ROOT, BELOW_A_PATH])
@pytest.mark.parametrize("proxy", [nginx, caddy])
async def test_a_proxy_of_the_page_passes_all_but_the_metrics(
    platforms: Platforms, sqlite_url: str, tmp_path: Path, proxy: Proxy, base: str
) -> None:
    named = {"PINGPILOT_PUBLIC_URL": base, "PINGPILOT_TRUSTED_PROXIES": "127.0.0.1"}
    async with a_daemon({**platforms.settings, **named}, database_url=sqlite_url, folder=tmp_path) as daemon:
        await daemon.start()
        key = await daemon.create_account("alice@example.com", channels=["email"])
        async with behind(proxy, base, daemon.base_url, tmp_path) as proxied:

            async def status(path: str, **headers: str) -> int:
                async with proxied.get(path, headers=headers) as answer:
                    return answer.status

            sent = {"Authorization": f"Bearer {key}", "Prefer": "wait=30"}
            async with proxied.post("api/v1/event", headers=sent, json={"category": "sale"}) as answer:
                event = await answer.json()
            pages = [await status(path) for path in ("docs", "docs/docs.js", "openapi.json", "metrics")]
            [mail] = await platforms.mail.wait_for_messages(1)
            link = str(mail.message["List-Unsubscribe"]).strip("<>")
            async with proxied.get(link.removeprefix(f"{base}/")) as answer:
                asked = await answer.text()
            guessed = [
                await status("api/v1/quota", Authorization="Bearer x", **{"X-Forwarded-For": f"192.0.2.{n}"})
                for n in range(25)
            ]
            async with aiohttp.request(
                "GET", f"{daemon.base_url}/api/v1/quota", headers={"Authorization": "Bearer x"}
            ) as answer:
                beside = answer.status

    assert event["deliveryStatus"] == "DELIVERED"
    assert pages == [200, 200, 200, 404]
    assert link.startswith(f"{base}/unsubscribe/")
    assert "Stop the e-mails?" in asked
    assert guessed[0] == 401  # by the caller's address, whatever the caller writes
    assert guessed[-1] == 429
    assert beside == 401  # the proxy's own address is another
