"""The database's URL: what is taken, and that no sentence about a wrong one holds a part of the password."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from pingpilot.config import load_settings
from pingpilot.database_url import parse_postgres_url
from pingpilot.errors import SettingsError

WORDS = ("swordfish", "tail")


@pytest.mark.parametrize("sign", [*"#/?[]@% ", "%2", "\x07", "#/?", "@/", "?x=", "?sslmode=require&"])
@pytest.mark.parametrize("before", ["swordfish", "5432", ""])
def test_a_raw_sign_in_a_password_is_told_without_any_part_of_it(
    monkeypatch: pytest.MonkeyPatch, sign: str, before: str
) -> None:
    monkeypatch.setenv(
        "PINGPILOT_DATABASE_URL", f"postgres://ada:{before}{sign}tail@db.example.com:5432/shop"
    )

    with pytest.raises(SettingsError) as error:
        load_settings()

    sentence = str(error.value)
    assert sentence.startswith("PINGPILOT_DATABASE_URL is wrong: it has a sign in its user name or password")
    assert "%23" in sentence
    assert not any(word in sentence for word in (*WORDS, "5432"))


def test_an_encoded_password_is_read_whole() -> None:
    place = parse_postgres_url("postgresql://a%40b:%23%2F%3F%5B%25%20:x@[::1]:5433/my%20shop?sslmode=require")

    assert (place.user, place.password, place.database) == ("a@b", "#/?[% :x", "my shop")
    assert place.host == "[::1]:5433"
    assert "#/?[" not in repr(place) + place.dsn


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://root:swordfish@localhost/db", "must be sqlite:///"),
        ("postgres:/ada:swordfish@localhost/db", "must be sqlite:///"),
        ("swordfish", "must be sqlite:///"),
        ("sqlite://relative.sqlite3", "must be sqlite:///"),
        ("sqlite:////tmp/a#b.sqlite3", "must be sqlite:///"),
        ("postgres://ada:swordfish@localhost", "must name the database"),
        ("postgres://ada:swordfish@localhost/a/b", "must name the database"),
        ("postgres://localhost/db?sslmode=on", "has a wrong sslmode: it is one of disable, allow, prefer"),
        ("postgres://localhost/db?pgbouncer=true", "has the parameter pgbouncer, which has no meaning here"),
        ("postgres://localhost:65536/db", "has a port above 65535"),
        ("postgres://ada:swordfish@::1:5432/db", "an IPv6 address stands in brackets"),
        ("postgres://ada:swordfish@localhost:five/db", "a port is a number"),
        ("postgres:///db?host=localhost&port=65536", "has a port above 65535"),
        ("postgres:///db?host=localhost:5432", "has a port within the parameter host: give it as port=5432"),
        ("postgres:///db?host=one..example,two", "has a host that can't be the name of one"),
        ("postgres:///db?host=one,two&port=1,2,3", "has another number of ports than of hosts"),
        ("postgres://ada:swordfish@db..example.com/db", "has a host that can't be the name of one"),
        ("postgres://localhost/db?connect_timeout=soon", "has a connect_timeout that is not a whole number"),
        ("postgres://localhost/db?sslrootcert=/nowhere.pem", "names a file as sslrootcert"),
        (
            "postgres://localhost/db?sslmode=require&channel_binding=require",
            "asks for channel_binding=require",
        ),
        ("postgres://localhost/db?sslmode=require&sslrootcert=system", "sslmode has to be verify-full"),
        (
            "postgres://localhost/db?target_session_attrs=rw",
            "target_session_attrs: it is one of any, read-write",
        ),
        ("postgres://localhost/db?sslnegotiation=fast", "has a wrong sslnegotiation: it is one of postgres"),
        ("postgres://localhost/db?ssl_min_protocol_version=1.2", "has a wrong ssl_min_protocol_version"),
        (f"postgres://localhost/db?sslrootcert={__file__}", "names a file as sslrootcert that holds nothing"),
        (f"postgres://localhost/db?sslcrl={__file__}", "names a file as sslcrl that holds nothing"),
        (
            f"postgres://localhost/db?sslcert={__file__}&sslkey={__file__}",
            "names a certificate as sslcert that",
        ),
    ],
)
def test_what_else_is_wrong_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, url: str, sentence: str
) -> None:
    monkeypatch.setenv("PINGPILOT_DATABASE_URL", url)

    with pytest.raises(SettingsError, match=re.escape(sentence)) as error:
        load_settings()

    assert "swordfish" not in str(error.value)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("PGTARGETSESSIONATTRS", "rw", "it is given by PGTARGETSESSIONATTRS a wrong target_session_attrs"),
        ("PGSSLROOTCERT", "system", "sslmode has to be verify-full"),
    ],
)
def test_what_libpqs_variables_add_is_judged_too(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv("PINGPILOT_DATABASE_URL", "postgres://localhost/db?sslmode=require")
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=sentence):
        load_settings()


def test_a_sockets_folder_may_have_a_longer_name_than_a_host() -> None:
    folder = f"/run/{'x' * 70}"

    assert parse_postgres_url(f"postgres:///shop?host={folder}").host == folder
    assert parse_postgres_url(f"postgres://{quote(folder, safe='')}/shop").host == folder


@pytest.mark.parametrize(
    ("url", "dsn"),
    [
        ("postgres:///shop?host=/run/pg&port=5433", "postgres://%2Frun%2Fpg:5433/shop"),
        ("postgres://%2Frun%2Fpg/shop?port=5433", "postgres://%2Frun%2Fpg:5433/shop"),
        ("postgres:///shop?host=::1&port=5433", "postgres://[::1]:5433/shop"),
        ("postgres://one,two/shop?port=5433", "postgres://one:5433,two:5433/shop"),
        ("postgres:///shop?host=one,two&port=1,2", "postgres://one:1,two:2/shop"),
        ("postgres:///shop?host=one,/run/pg,[::1]", "postgres://one,%2Frun%2Fpg,[::1]/shop"),
        ("postgres:///shop?port=5433", "postgres:///shop?port=5433"),
        (
            "postgres://ada@one:5432/shop?host=two&port=5433&dbname=other&user=bob",
            "postgres://bob@two:5433/other",
        ),
    ],
)
def test_a_parameter_goes_before_what_stands_in_front_of_it_as_in_libpq(url: str, dsn: str) -> None:
    assert parse_postgres_url(url).dsn == dsn


@pytest.mark.parametrize(
    "parameters",
    ["gssencmode=disable", "keepalives=1&keepalives_idle=30", "channel_binding=prefer", "connect_timeout=0"],
)
def test_what_only_libpq_knows_is_passed_over(parameters: str) -> None:
    place = parse_postgres_url(f"postgres://ada@localhost/shop?{parameters}")

    assert place.dsn == "postgres://ada@localhost/shop"
    assert place.connect_timeout is None


def test_the_databases_password_is_a_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PINGPILOT_DATABASE_URL", "postgres://ada:sword%2Ffish@localhost/shop")

    assert load_settings().secrets == ("sword/fish",)
