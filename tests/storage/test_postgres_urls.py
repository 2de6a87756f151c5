"""PostgreSQL URLs as services hand them out, over real sockets: TLS, poolers, sockets, time limits."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import asyncpg
import pytest
import trustme

from models.database import connection, is_current, migrate, open_database, transaction
from pingpilot.errors import DatabaseUnavailable
from tests.support.databases import PostgresCopies
from tests.support.postgres_front import PostgresFront
from tests.support.waiting import until

LOGIN = "postgres:"


@pytest.fixture
def url(postgres_copies: PostgresCopies, tmp_path: Path) -> Iterator[str]:
    made = postgres_copies.new(tmp_path)
    yield made
    postgres_copies.drop(made)


@pytest.fixture
def name(url: str) -> str:
    return urlsplit(url).path[1:]


@pytest.fixture
def folder(url: str) -> str:
    """The folder of the server's socket."""
    return parse_qs(urlsplit(url).query)["host"][0]


@pytest.fixture
async def secured(folder: str, serving: ssl.SSLContext) -> AsyncIterator[PostgresFront]:
    async with PostgresFront(f"{folder}/.s.PGSQL.5432", serving=serving).running() as front:
        yield front


@pytest.fixture
async def plain(folder: str) -> AsyncIterator[PostgresFront]:
    async with PostgresFront(f"{folder}/.s.PGSQL.5432").running() as front:
        yield front


@pytest.fixture
def root(authority: trustme.CA, tmp_path: Path) -> str:
    """A file with the authority's certificate, as a parameter."""
    file = tmp_path / "root certificate.pem"
    authority.cert_pem.write_to_path(str(file))
    return quote(str(file))


async def shown(url: str, setting: str) -> str:
    async with open_database(url):
        rows = await connection().execute_query_dict(f"SHOW {setting}")
    return str(rows[0][setting])


@pytest.mark.parametrize(
    ("mode", "encrypted"),
    [("disable", 0), ("allow", 0), ("prefer", 1), ("require", 1), ("verify-ca", 1), ("verify-full", 1)],
)
async def test_each_ssl_mode_does_what_it_says(
    secured: PostgresFront, name: str, root: str, mode: str, encrypted: int
) -> None:
    url = f"postgresql://{LOGIN}@127.0.0.1:{secured.port}/{name}?sslmode={mode}&sslrootcert={root}"

    assert await is_current(url)

    assert secured.encrypted >= encrypted
    assert bool(secured.encrypted) is bool(encrypted)


@pytest.mark.parametrize(
    "parameters", ["sslmode=verify-full", "sslmode=verify-full&sslrootcert=system", "sslrootcert=system"]
)
async def test_a_server_that_nobody_vouches_for_is_not_spoken_to(
    secured: PostgresFront, name: str, parameters: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(DatabaseUnavailable, match="certificate"):
        await shown(f"postgres://{LOGIN}@127.0.0.1:{secured.port}/{name}?{parameters}", "work_mem")

    assert secured.starts == []


async def test_the_environment_may_have_the_machines_certificates_vouch(
    secured: PostgresFront, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", "system")

    with pytest.raises(DatabaseUnavailable, match="certificate"):
        await is_current(f"postgres://{LOGIN}@127.0.0.1:{secured.port}/{name}")

    assert secured.starts == []


async def test_the_machines_certificates_may_vouch(
    secured: PostgresFront, name: str, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "trusted.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))

    url = f"postgres://{LOGIN}@127.0.0.1:{secured.port}/{name}?sslmode=verify-full&sslrootcert=system"

    assert await shown(url, "synchronous_commit") == "on"
    assert secured.encrypted


@pytest.mark.parametrize("by_the_environment", [False, True])
async def test_the_machines_certificates_may_vouch_for_a_server_that_wants_one_of_ours(
    folder: str,
    name: str,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    by_the_environment: bool,
) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    authority.configure_trust(serving)
    serving.verify_mode = ssl.CERT_REQUIRED
    authority.cert_pem.write_to_path(str(trusted := tmp_path / "trusted.pem"))
    ours = authority.issue_cert("ada@example.com")
    ours.private_key_pem.write_to_path(str(key := tmp_path / "ada.key"))
    ours.cert_chain_pems[0].write_to_path(str(certificate := tmp_path / "ada.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    parameters = {"sslrootcert": "system", "sslcert": str(certificate), "sslkey": str(key)}
    if by_the_environment:
        for each, value in parameters.items():
            monkeypatch.setenv(f"PG{each.upper()}", value)
    query = "" if by_the_environment else f"?{urlencode(parameters)}"
    async with PostgresFront(f"{folder}/.s.PGSQL.5432", serving=serving).running() as front:
        assert await is_current(f"postgres://{LOGIN}@127.0.0.1:{front.port}/{name}{query}")

    assert front.encrypted


async def test_a_server_without_tls_is_refused_where_tls_is_required(plain: PostgresFront, name: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="rejected SSL upgrade"):
        await shown(f"postgres://{LOGIN}@127.0.0.1:{plain.port}/{name}?sslmode=require", "work_mem")


async def test_the_environments_ssl_mode_holds_where_the_url_has_none(
    secured: PostgresFront, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "disable")

    await shown(f"postgres://{LOGIN}@127.0.0.1:{secured.port}/{name}", "work_mem")

    assert secured.encrypted == 0


async def test_options_and_application_name_reach_the_server(plain: PostgresFront, name: str) -> None:
    url = f"postgresql://{LOGIN}@127.0.0.1:{plain.port}/{name}"

    assert await shown(f"{url}?application_name=my%20shop", "application_name") == "my shop"
    assert await shown(f"{url}?options=-c%20work_mem%3D7MB", "work_mem") == "7MB"


class Silent:
    """A server that takes connections and says nothing, as a machine that hangs."""

    def __init__(self) -> None:
        self.port = 0
        self.asked = 0
        self._end = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Silent"]:
        server = await asyncio.start_server(self._say_nothing, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self._end.set()
            server.close()
            await server.wait_closed()

    async def _say_nothing(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        await self._end.wait()
        writer.close()


async def test_connect_timeout_ends_the_wait_for_a_silent_server(name: str) -> None:
    begun = monotonic()

    async with Silent().running() as silent:
        with pytest.raises(DatabaseUnavailable, match="no answer in time"):
            await shown(f"postgres://{LOGIN}@127.0.0.1:{silent.port}/{name}?connect_timeout=1", "work_mem")

    assert monotonic() - begun < 20


async def test_a_socket_is_named_as_a_parameter_or_in_place_of_the_host(folder: str, name: str) -> None:
    as_host = quote(folder, safe="")

    assert await is_current(f"postgres:///{name}?host={folder}&user=postgres")
    assert await is_current(f"postgresql://postgres@{as_host}/{name}")
    assert await is_current(f"postgresql://postgres@{as_host}:5432/{name}")
    assert await is_current(f"postgresql:///?dbname={name}&host={as_host}&user=postgres&port=5432")


async def test_a_password_of_any_signs_is_taken_over_tcp_and_through_a_socket(
    plain: PostgresFront, folder: str, name: str, postgres_copies: PostgresCopies
) -> None:
    user, password = "ada@home", "#/?[]@% :&+='\"\\é"
    login, place = f"{quote(user, safe='')}:{quote(password, safe='')}", f"host={quote(folder, safe='')}"
    query = urlencode({"user": user, "password": password}, quote_via=quote)
    with postgres_copies.a_user(user, password):
        for url in (
            f"postgres://{login}@127.0.0.1:{plain.port}/{name}",
            f"postgresql://{login}@{quote(folder, safe='')}/{name}?sslmode=require",
            f"postgresql://{login}@/{name}?{place}",
            f"postgres:///{name}?{place}&{query}",
        ):
            assert await is_current(url)
        with pytest.raises(DatabaseUnavailable, match="password authentication failed") as failure:
            await is_current(f"postgres://{login}x@127.0.0.1:{plain.port}/{name}")

    assert password not in str(failure.value)


async def test_the_second_of_two_hosts_is_used_where_the_first_is_away(
    plain: PostgresFront, name: str
) -> None:
    url = f"postgres://{LOGIN}@127.0.0.1:9,127.0.0.1:{plain.port}/{name}?sslmode=disable"

    assert await is_current(url)


async def test_the_second_of_two_hosts_is_used_where_the_first_is_silent_and_then_goes_first(
    plain: PostgresFront, name: str
) -> None:
    async with Silent().running() as silent:
        hosts = f"127.0.0.1:{silent.port},127.0.0.1:{plain.port}"
        url = f"postgres://{LOGIN}@{hosts}/{name}?sslmode=disable&target_session_attrs=read-write"

        assert await is_current(url)
        assert await is_current(url)

    assert silent.asked == 1


async def test_no_host_is_used_that_is_not_of_the_kind_which_is_asked_for(
    plain: PostgresFront, name: str
) -> None:
    hosts = f"127.0.0.1:9,127.0.0.1:{plain.port}"
    url = f"postgres://{LOGIN}@{hosts}/{name}?sslmode=disable&target_session_attrs="

    assert await is_current(f"{url}prefer-standby")
    with pytest.raises(DatabaseUnavailable, match="None of the hosts match"):
        await is_current(f"{url}standby")


async def test_a_connection_whose_server_said_farewell_is_given_up(folder: str, name: str, url: str) -> None:
    front = PostgresFront(f"{folder}/.s.PGSQL.5432", slow_to_close=True)
    async with front.running(), open_database(f"postgres://{LOGIN}@127.0.0.1:{front.port}/{name}"):
        other = await asyncpg.connect(url)
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await other.close()
        await until(lambda: front.farewells > 0)
        with pytest.raises(DatabaseUnavailable):
            await connection().execute_query("SELECT 1")
        await connection().execute_query("SELECT 1")


async def test_whatever_comes_of_a_connection_that_goes_says_so(url: str) -> None:
    async def stumble(*, lost: bool) -> None:
        async with connection().acquire_connection() as held:
            if lost:
                held.terminate()
            raise AttributeError("'NoneType' object has no attribute 'bind_execute'")

    async with open_database(url):
        with pytest.raises(AttributeError):
            await stumble(lost=False)
        with pytest.raises(DatabaseUnavailable, match="the connection was lost"):
            await stumble(lost=True)
        with pytest.raises(DatabaseUnavailable, match="the connection was lost"):
            async with transaction():
                await stumble(lost=True)
        await connection().execute_query("SELECT 1")


async def test_a_pooler_that_changes_sessions_is_told_as_such(url: str) -> None:
    async with open_database(url):
        with pytest.raises(DatabaseUnavailable, match="it has to keep sessions"):
            await connection().execute_query("EXECUTE of_another_session")


async def test_pgbouncer_in_session_mode_needs_no_setting(
    folder: str, postgres_copies: PostgresCopies
) -> None:
    name = urlsplit(postgres_copies.new_empty()).path[1:]
    async with PostgresFront(f"{folder}/.s.PGSQL.5432", pooler=True).running() as pooler:
        url = f"postgres://{LOGIN}@127.0.0.1:{pooler.port}/{name}"

        await migrate(url)

        assert await is_current(url)
        assert await shown(url, "synchronous_commit") == "on"
