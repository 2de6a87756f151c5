"""The addresses that webhooks may have, and a sentence for each that they may not."""

import base64

import pytest

from pingpilot.accounts.webhooks import check_webhook_url, new_webhook_secret
from pingpilot.errors import InvalidInput
from pingpilot.networks import networks_of

GOOD = {
    "https://hooks.example.com/pingpilot": "https://hooks.example.com/pingpilot",
    "  https://hooks.example.com/  ": "https://hooks.example.com/",
    "https://hooks.example.com": "https://hooks.example.com/",
    "https://hooks.example.com?to=ops": "https://hooks.example.com/?to=ops",
    "HTTPS://Hooks.Example.COM:443/A": "https://hooks.example.com/A",
    "https://hooks.example.com./a": "https://hooks.example.com/a",
    "https://hooks.example.com:8443/a?b=c%20d&e=/@:?": "https://hooks.example.com:8443/a?b=c%20d&e=/@:?",
    "https://hooks.example.com/a%2Fb//c/../d": "https://hooks.example.com/a%2Fb//c/../d",
    "https://bücher.example/straße": "https://xn--bcher-kva.example/stra%C3%9Fe",
    "https://my_app.example.com/": "https://my_app.example.com/",
    "https://8.8.8.8/a": "https://8.8.8.8/a",
    "https://[2606:4700:0:0::1111]:8443/a": "https://[2606:4700::1111]:8443/a",
    "https://127.0.0.1.example.com/": "https://127.0.0.1.example.com/",
    "https://0x7f.example/": "https://0x7f.example/",
    "https://localhost.example.com/": "https://localhost.example.com/",
}
BAD = {
    "": "needs an address to post to",
    "   ": "needs an address to post to",
    "hooks.example.com/a": "must begin with https://",
    "//hooks.example.com/a": "must begin with https://",
    "ftp://hooks.example.com/a": "must begin with https://",
    "file:///a": "must begin with https://",
    "gopher://127.0.0.1:6379/_a": "must begin with https://",
    "unix:///var/run/docker.sock": "must begin with https://",
    "http://hooks.example.com/a": "must begin with https://. The operator",
    "http://8.8.8.8/a": "must begin with https://. The operator",
    "https://": "needs a host name",
    "https:///a": "needs a host name",
    "https://:443/a": "needs a host name",
    "https://?a": "needs a host name",
    "https://hooks.example.com:0/": "from 1 to 65535",
    "https://hooks.example.com:65536/": "from 1 to 65535",
    "https://hooks.example.com:https/": "from 1 to 65535",
    "https://hooks.example.com:٤٤٣/": "from 1 to 65535",
    "https://hooks.example.com/a#b": "no part after #",
    "https://hooks.example.com#@127.0.0.1/": "no part after #",
    "https://ada:secret@hooks.example.com/": "user name or password",
    "https://hooks.example.com@127.0.0.1/": "user name or password",
    "https://hooks.example.com:443@127.0.0.1:80/": "user name or password",
    "https://hooks.example.com/a b": "spaces, line breaks or backslashes",
    "https://hooks.example.com/a\r\nX-Evil: 1": "spaces, line breaks or backslashes",
    "https://hooks.example.com\\@127.0.0.1/": "spaces, line breaks or backslashes",
    "https://hooks.example.com/\x00": "spaces, line breaks or backslashes",
    "https://hooks.example.com/\udcff": "spaces, line breaks or backslashes",
    "https://hooks..example.com/": "host name of a webhook's address is not valid",
    "https://-hooks.example.com/": "host name of a webhook's address is not valid",
    f"https://{'a' * 64}.example.com/": "host name of a webhook's address is not valid",
    f"https://{'a.' * 130}example.com/": "host name of a webhook's address is not valid",
    "https://hooks%2eexample.com/": "host name of a webhook's address is not valid",
    "https://*.example.com/": "host name of a webhook's address is not valid",
    "https://😀.example.com/": "host name of a webhook's address is not valid",
    "https://[hooks.example.com]/": "in brackets",
    "https://[8.8.8.8]/": "in brackets",
    "https://[fe80::1%25eth0]/": "in brackets",
    "https://[::1/": "needs a host name",
    "https://intranet/": "needs its domain",
    "https://metadata/": "needs its domain",
    f"https://hooks.example.com/{'a' * 2000}": "at most 2,000 characters",
    # Addresses of a network that is not the internet
    "https://127.0.0.1/": "can't lead to a loopback address",
    "https://127.0.0.1./": "can't lead to a loopback address",
    "https://１２７.０.０.１/": "can't lead to a loopback address",
    "https://①②⑦.0.0.1/": "can't lead to a loopback address",
    "https://127。0。0。1/": "can't lead to a loopback address",
    "https://10.0.0.1:8443/": "can't lead to a private address",
    "https://169.254.169.254/latest/meta-data/": "can't lead to a metadata address",
    "https://0.0.0.0/": "can't lead to an unspecified address",
    "https://[::1]/": "can't lead to a loopback address",
    "https://[0:0:0:0:0:0:0:1]/": "can't lead to a loopback address",
    "https://[::]/": "can't lead to an unspecified address",
    "https://[::ffff:127.0.0.1]/": "can't lead to a loopback address",
    "https://[::ffff:a9fe:a9fe]/": "can't lead to a metadata address",
    "https://[64:ff9b::10.0.0.1]/": "can't lead to a private address",
    "https://[2002:7f00:1::]/": "can't lead to a 6to4 address",
    "https://[2001:0:7f00:1::]/": "can't lead to a Teredo address",
    "https://[fd00::1]/": "can't lead to a private address",
    "https://[fec0::1]/": "can't lead to a site-local address",
    "https://[fe80::1]/": "can't lead to a link-local address",
    # Other ways to write IPv4, which the system's resolver knows
    "https://2130706433/": "four decimal numbers",
    "https://0x7f000001/": "four decimal numbers",
    "https://0X7F.1/": "four decimal numbers",
    "https://017700000001/": "four decimal numbers",
    "https://0177.0.0.1/": "four decimal numbers",
    "https://127.1/": "four decimal numbers",
    "https://127.0.1/": "four decimal numbers",
    "https://127.0.0.01/": "four decimal numbers",
    "https://0x7f.0x0.0x0.0x1/": "four decimal numbers",
    "https://256.0.0.1/": "four decimal numbers",
    "https://1.2.3.4.5/": "four decimal numbers",
    "https://hooks.example.0x/": "four decimal numbers",
    # Names of this machine
    "https://localhost/": "can't lead to this server itself",
    "https://LOCALHOST./": "can't lead to this server itself",
    "https://ｌｏｃａｌｈｏｓｔ/": "can't lead to this server itself",
    "https://app.localhost/": "can't lead to this server itself",
    "https://localhost.localdomain/": "can't lead to this server itself",
    "https://ip6-localhost/": "can't lead to this server itself",
    "https://ip6-loopback/": "can't lead to this server itself",
}
OPENED = networks_of(["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"])
OPENED_UP = {
    "http://127.0.0.1:9000/hook": "http://127.0.0.1:9000/hook",
    "http://localhost:9000/hook": "http://localhost:9000/hook",
    "http://10.1.2.3:80/": "http://10.1.2.3/",
    "https://10.1.2.3/": "https://10.1.2.3/",
    "http://[fd00::1]:9000/": "http://[fd00::1]:9000/",
    "http://n8n:5678/hook": "http://n8n:5678/hook",
    "http://n8n.internal/hook": "http://n8n.internal/hook",
}


@pytest.mark.parametrize("text", GOOD)
def test_a_good_address_is_stored_in_one_form(text: str) -> None:
    assert check_webhook_url(text) == GOOD[text]
    assert check_webhook_url(GOOD[text]) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_a_bad_address_gets_its_own_sentence(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_webhook_url(text)

    assert BAD[text] in str(refused.value)
    assert str(refused.value).endswith(".")


def test_a_sentence_repeats_nothing_of_the_address() -> None:
    for text in BAD:
        with pytest.raises(InvalidInput) as refused:
            check_webhook_url(text.replace("/", "/T0K3N", 1))
        assert "T0K3N" not in str(refused.value)


@pytest.mark.parametrize("text", OPENED_UP)
def test_a_network_that_the_operator_opens_may_be_named(text: str) -> None:
    assert check_webhook_url(text, OPENED) == OPENED_UP[text]


@pytest.mark.parametrize(
    "text", ["http://192.168.0.1/", "https://192.168.0.1/", "https://[::1]/", "http://8.8.8.8/"]
)
def test_and_no_other(text: str) -> None:
    with pytest.raises(InvalidInput):
        check_webhook_url(text, OPENED)


def test_the_localhost_is_refused_where_another_network_is_opened() -> None:
    with pytest.raises(InvalidInput, match="this server itself"):
        check_webhook_url("https://localhost/", networks_of(["10.0.0.0/8"]))


def test_secrets_are_those_of_the_specification() -> None:
    first, second = new_webhook_secret(), new_webhook_secret()

    assert first != second
    assert first.startswith("whsec_")
    assert 24 <= len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) <= 64
