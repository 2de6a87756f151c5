"""The database's URL, as people write it and services hand it out, taken apart.

The form is libpq's (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS). No
sentence about a wrong URL repeats anything of it that might be a part of the password.
"""

import os
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

_POSTGRES_FORM = "postgres://user:password@host:port/database"
FORM = f"sqlite:///absolute/path.sqlite3 or {_POSTGRES_FORM}"

_PASSED_ON = frozenset(
    {
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslnegotiation"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version"),
        *("target_session_attrs", "passfile", "krbsrvname"),
        *("application_name", "options"),
    }
)
_PLACE = frozenset({"host", "port", "dbname", "user", "password"})
_WITHOUT_EFFECT = frozenset(
    {
        *("channel_binding", "gssencmode", "sslcompression", "sslsni"),
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
    }
)
"""What is meant for libpq alone; the driver has nothing of the kind."""
_KNOWN = _PASSED_ON | _PLACE | _WITHOUT_EFFECT | {"connect_timeout"}
_TLS_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": _TLS_VERSIONS,
    "ssl_max_protocol_version": _TLS_VERSIONS,
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
}
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
_OF_TLS = ("sslcert", "sslkey", "sslcrl", "ssl_min_protocol_version", "ssl_max_protocol_version")
_OF_HOME = {"sslcert": "~/.postgresql/postgresql.crt", "sslkey": "~/.postgresql/postgresql.key"}
_SYSTEM = "system"  # libpq's word for the certificates that the machine trusts

_RAW = (
    "has a sign in its user name or password that means something else in a URL: write @ as %40, : as %3A, "
    "/ as %2F, # as %23, ? as %3F, [ as %5B, ] as %5D, % as %25 and a space as %20"
)
_AUTHORITY = re.compile(r"(?P<authority>[^/?#]*)(?P<path>/[^?]*)?(?:\?(?P<query>.*))?", re.DOTALL)
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+(%25[\w.]+)?\]|[^\s:\[\]]*)(:(?P<port>\d{0,5}))?")
_HIGHEST_PORT = 65535
_HALF_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """A PostgreSQL database and how to reach it.

    `dsn` is in asyncpg's form, without the password; `dsns` has one for each host, in the order in which they
    are tried.
    """

    dsn: str
    dsns: tuple[str, ...]
    host: str | None
    user: str | None
    password: str | None = field(repr=False)
    database: str
    connect_timeout: int | None
    tls: Mapping[str, str] | None
    """What else is said of TLS where the server proves itself by a certificate that this machine trusts, for
    which the driver has no word; None where `dsn` says it all.
    """


def check_database_url(url: str) -> str:
    """Return the URL if it is one of a database. Raises `ValueError`: `must be …`, or `has …`."""
    if url.startswith("sqlite:"):
        if not re.fullmatch(r"sqlite:///[^?#]+(\?.*)?", url):
            raise ValueError(f"must be {FORM}")
    else:
        parse_postgres_url(url)
    return url


def check_postgres_url(url: str) -> str:
    """Return the URL if it is one of a PostgreSQL database. Raises `ValueError` as `check_database_url`."""
    if url.startswith("sqlite:"):
        raise ValueError(f"must be {_POSTGRES_FORM}")
    parse_postgres_url(url)
    return url


def sqlite_path(url: str) -> Path | None:
    """Return the file of an SQLite URL, None for PostgreSQL."""
    return Path(url.removeprefix("sqlite://").split("?")[0]) if url.startswith("sqlite://") else None


def parse_postgres_url(url: str) -> PostgresUrl:
    """Take a PostgreSQL URL apart. Raises `ValueError` with the words that follow "it": `must be …`."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgres", "postgresql", "asyncpg"):
        raise ValueError(f"must be {FORM}")
    parts = _AUTHORITY.fullmatch(rest)
    if not parts or re.search(r"[\s\x00-\x1f\x7f]", rest) or _HALF_ENCODED.search(rest):
        raise ValueError(_RAW)
    userinfo, _, hosts = parts["authority"].rpartition("@")
    path, query = (parts["path"] or "/")[1:], parts["query"] or ""
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    are_hosts = all(_HOST.fullmatch(each) for each in hosts.split(","))
    is_elsewhere = "@" in path or ("@" in query and not given.keys() <= _KNOWN)
    if re.search(r"[@\[\]]", userinfo) or is_elsewhere or (not are_hosts and "@" not in parts["authority"]):
        raise ValueError(_RAW)
    if not are_hosts:  # the @ before it is the one that ends the password
        raise ValueError(
            "has a host or a port that can't be one: a port is a number, and an IPv6 address stands in "
            "brackets, [::1]:5432"
        )
    _check_parameters(given)
    user, _, password = (unquote(part) for part in userinfo.partition(":"))
    user = given.get("user") or user  # as in libpq, a parameter goes before what stands in front of it
    database = given.get("dbname") or unquote(path)
    if not database or "/" in path:
        raise ValueError(f"must name the database at its end, after one slash: {FORM}")
    named = [
        (unquote(each["name"]), each["port"] or "") for each in map(_HOST.fullmatch, hosts.split(",")) if each
    ]
    for name, port in named:
        _check_host(name, port)
    if given.get("host"):
        named = [(name, named[0][1]) for name in given["host"].split(",")]
        _check_given_hosts(named)
    if given.get("port"):
        ports = given["port"].split(",")
        if len(ports) not in (1, len(named)):
            raise ValueError("has another number of ports than of hosts")
        named = [(name, ports[n % len(ports)]) for n, (name, _) in enumerate(named)]
    trusts_system = _said("sslrootcert", given) == _SYSTEM
    not_passed_on = {"sslmode", "sslrootcert", *_OF_TLS} if trusts_system else frozenset()
    passed_on = {name: value for name, value in given.items() if value and name in _PASSED_ON - not_passed_on}
    if named[0][1] and not named[0][0]:  # the driver's own hosts are tried, at this port
        passed_on["port"], named = named[0][1], [("", "")]
    places = []
    for name, port in named:  # a socket's folder has slashes, an IPv6 address colons
        is_bare = ":" in name and not name.startswith(("/", "["))
        host = f"[{name}]" if is_bare else name
        places.append(quote(host, safe="[]:" if host.startswith("[") else "") + (port and f":{port}"))
    login = f"postgres://{quote(user, safe='')}{user and '@'}"
    end = f"/{quote(database, safe='')}" + (f"?{urlencode(passed_on)}" if passed_on else "")
    return PostgresUrl(
        dsn=f"{login}{','.join(places)}{end}",
        dsns=tuple(f"{login}{place}{end}" for place in places),
        host=",".join(f"{name}{port and f':{port}'}" for name, port in named) or None,
        user=user or None,
        password=given.get("password") or password or None,
        database=database,
        connect_timeout=int(given.get("connect_timeout") or 0) or None,
        tls={name: said for name in _OF_TLS if (said := _said(name, given))} if trusts_system else None,
    )


def _said(name: str, given: Mapping[str, str]) -> str:
    """Return what a parameter is: as the URL has it, else as libpq's variable says, or its file at home."""
    said = given.get(name) or os.environ.get(_libpqs_variable(name))
    at_home = os.path.expanduser(_OF_HOME.get(name, ""))
    return said or (at_home if os.access(at_home, os.R_OK) else "")


def _libpqs_variable(parameter: str) -> str:
    return f"PG{parameter.replace('_', '').upper()}"


def _check_host(name: str, port: str) -> None:
    """Check a host that stands in its form already. Raises `ValueError`."""
    if int(port or 0) > _HIGHEST_PORT:
        raise ValueError(f"has a port above {_HIGHEST_PORT}")
    try:
        _ = name.startswith(("/", "[")) or name.encode("idna")  # a socket's folder, an address
    except UnicodeError:
        raise ValueError("has a host that can't be the name of one") from None


def _check_given_hosts(named: Iterable[tuple[str, str]]) -> None:
    """Check what is given as `host`, where a colon stands in an IPv6 address alone. Raises `ValueError`."""
    for name, port in named:
        _check_host(name, port)
        if ":" in name and not name.startswith("/"):
            try:
                ip_address(name.strip("[]"))
            except ValueError:
                raise ValueError("has a port within the parameter host: give it as port=5432") from None


def _check_parameters(given: Mapping[str, str]) -> None:
    """Check what stands behind the question mark. Raises `ValueError`."""
    if unknown := sorted(given.keys() - _KNOWN):
        raise ValueError(
            f"has the parameter {', '.join(unknown)}, which has no meaning here: remove it. PostgreSQL's own "
            "settings are given as options=-c%20name%3Dvalue"
        )
    for name, choices in _CHOICES.items():
        if _said(name, given) not in ("", *choices):
            who = "has" if given.get(name) else f"is given by {_libpqs_variable(name)}"
            raise ValueError(f"{who} a wrong {name}: it is one of {', '.join(choices)}")
    if given.get("channel_binding") == "require" or given.get("gssencmode") == "require":
        name = "channel_binding" if given.get("channel_binding") == "require" else "gssencmode"
        raise ValueError(
            f"asks for {name}=require, which PingPilot's driver can't do: remove it. "
            "sslmode=verify-full&sslrootcert=system makes sure of the server"
        )
    if _said("sslrootcert", given) == _SYSTEM and _said("sslmode", given) not in ("", "verify-full"):
        raise ValueError("has sslrootcert=system, with which sslmode has to be verify-full")
    for name in _FILES:
        file = given.get(name)
        if file and not (name == "sslrootcert" and file == _SYSTEM) and not os.access(file, os.R_OK):
            raise ValueError(f"names a file as {name} that does not exist or can't be read")
    _check_certificates(given)
    ports = given.get("port", "").split(",")
    for name, numbers in (("connect_timeout", [given.get("connect_timeout", "")]), ("port", ports)):
        if not all(re.fullmatch(r"\d{0,5}", each) for each in numbers):
            raise ValueError(f"has a {name} that is not a whole number")
    for each in ports:
        _check_host("", each)


def _check_certificates(given: Mapping[str, str]) -> None:
    """Check the files of TLS, which can be read. Raises `ValueError`: OpenSSL does not name the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in ("sslrootcert", "sslcrl"):
        file = given.get(name)
        if file and file != _SYSTEM:
            try:
                context.load_verify_locations(cafile=file)
            except ssl.SSLError:
                raise ValueError(f"names a file as {name} that holds nothing of the kind in PEM") from None
    if given.get("sslcert"):
        try:
            context.load_cert_chain(given["sslcert"], _said("sslkey", given) or None, password="")
        except (ssl.SSLError, OSError):
            raise ValueError(
                "names a certificate as sslcert that can't be used: it and its sslkey have to be PEM files, "
                "belong together, and need no password"
            ) from None
