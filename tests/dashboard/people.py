"""People in front of the dashboard: browsers without a picture, which keep cookies and follow nothing."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from types import MappingProxyType

from aiohttp import ClientSession, CookieJar

from models import Account
from pingpilot.accounts.sign_in import new_sign_in_link
from tests.http.api import Api, Reply

FROM_OUR_PAGE: Mapping[str, str] = MappingProxyType({"Sec-Fetch-Site": "same-origin"})
_HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_TOKEN = re.compile(r'name="token" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a browser."""

    api: Api
    session: ClientSession

    async def get(self, path: str, **headers: str) -> Reply:
        return await self._ask("GET", path, None, headers)

    async def post(
        self, path: str, form: Mapping[str, str] | None = None, *, headers: Mapping[str, str] = FROM_OUR_PAGE
    ) -> Reply:
        """Send a form as browsers do; `headers` tell where its page was from."""
        return await self._ask("POST", path, form or {}, headers)

    async def sign_in(self, account: Account) -> None:
        """Open a link of the account's and press its button."""
        link = await new_sign_in_link(account, "", self.api.clock.now())
        answer = await self.post(link.url)
        assert answer.status == 303, answer.text

    @property
    def cookies(self) -> dict[str, str]:
        return {each.key: each.value for each in self.session.cookie_jar}

    async def _ask(
        self, method: str, path: str, form: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> Reply:
        given = {"Accept": _HTML, "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0", **headers}
        async with self.session.request(
            method, self.api.url + path, data=form, headers=given, allow_redirects=False
        ) as response:
            return Reply(response.status, response.headers, await response.text())


@asynccontextmanager
async def a_person(api: Api) -> AsyncIterator[Person]:
    """Open a browser that knows nothing yet."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:  # unsafe: takes those of an IP
        yield Person(api, session)


def token_in(page: Reply) -> str:
    """Return what the page's form is known by."""
    found = _TOKEN.search(page.text)
    assert found, page.text
    return found[1]


def text_of(page: Reply) -> str:
    """Return what people read on a page, its spaces made one."""
    without = re.sub(r"(?s)<(style|script|svg).*?</\1>|<[^>]+>", " ", page.text)
    return " ".join(unescape(without).split())
