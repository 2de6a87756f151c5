"""A real Postfix, in a folder and on ports of its own: what it says of us, and of one recipient."""

import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from pingpilot.email.server import MailServer
from pingpilot.email.smtp import SmtpPool
from pingpilot.errors import ChannelUnavailable, DeliveryFailure, PermanentFailure, TemporaryFailure
from tests.support.daemon import free_port

_POSTFIX = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

pytestmark = pytest.mark.skipif(
    _POSTFIX is None or os.geteuid() != 0, reason="Postfix is not installed, or may not be started"
)

DOORS = {
    "open": "",
    "client": "-o smtpd_client_restrictions=reject",
    "access": "-o smtpd_relay_restrictions= -o smtpd_recipient_restrictions=reject",
    "sender": "-o smtpd_sender_restrictions=check_sender_access,inline:{ping@example.com=reject}",
    "relay": "-o mynetworks=192.0.2.1/32",
    "default": "-o mynetworks=192.0.2.1/32 -o smtpd_relay_restrictions=defer_unauth_destination",
    "ehlo": "-o smtpd_delay_reject=no -o smtpd_helo_restrictions=reject_non_fqdn_helo_hostname",
    "helo": "-o smtpd_helo_restrictions=reject_non_fqdn_helo_hostname",
    "grey": "-o smtpd_recipient_restrictions=check_recipient_access,inline:{grey@example.org=defer}",
    "known": "-o relay_recipient_maps=inline:{known@example.org=x}",
    "ascii": "-o smtputf8_enable=no",
    "tls": "-o smtpd_tls_wrappermode=yes",
    "starttls": "-o smtpd_tls_security_level=encrypt",
}
"""Ways to be let in or not, each on a port of its own: what master.cf adds to the settings."""

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.net
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relay_domains = example.org
default_transport = discard
relay_transport = discard
local_recipient_maps =
alias_maps =
alias_database =
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_tls_cert_file = {folder}/server.pem
smtpd_tls_key_file = {folder}/server.pem
smtpd_tls_security_level = may
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
"""
_SERVICES = """
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
anvil unix - - n - 1 anvil
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


@pytest.fixture(scope="module")
def doors(authority: trustme.CA) -> Iterator[dict[str, int]]:
    """Run Postfix; the ports by what they stand for."""
    # Not pytest's folder, which is for one user alone: Postfix works under several
    with tempfile.TemporaryDirectory(prefix="postfix-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for each in ("queue", "data", "etc"):
            (folder / each).mkdir()
        shutil.chown(folder / "data", "postfix")
        certificate = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
        certificate.write_to_path(str(folder / "server.pem"))
        (folder / "etc" / "main.cf").write_text(_MAIN.format(folder=folder))
        yield _started(folder)
        _postfix(folder, "stop")


def _started(folder: Path) -> dict[str, int]:
    for _ in range(3):  # somebody else may take one of the ports first
        ports = {name: free_port() for name in DOORS}
        listening = [
            f"127.0.0.1:{ports[name]} inet n - n - - smtpd {options}" for name, options in DOORS.items()
        ]
        (folder / "etc" / "master.cf").write_text(_SERVICES + "\n".join(listening) + "\n")
        if _postfix(folder, "start") == 0:
            return ports
    pytest.fail((folder / "mail.log").read_text())


def _postfix(folder: Path, command: str) -> int:
    words = [str(_POSTFIX), "-c", str(folder / "etc"), command]
    return subprocess.run(words, capture_output=True, check=False, timeout=60).returncode


class Door:
    """Hands mail in at one of the ports."""

    def __init__(self, port: int, **options: object) -> None:
        server = MailServer(host="127.0.0.1", port=port, **{"security": "none", **options})  # type: ignore[arg-type]
        self._pool = SmtpPool(server, timeout=timedelta(seconds=10))

    async def send(self, recipient: str = "ada@example.org") -> None:
        try:
            await self._pool.send("ping@example.com", recipient, b"Subject: x\r\n\r\nx\r\n")
        finally:
            await self._pool.close()

    async def failure(self, recipient: str = "ada@example.org") -> DeliveryFailure:
        with pytest.raises(DeliveryFailure) as failure:
            await self.send(recipient)
        return failure.value


@pytest.mark.parametrize(
    ("door", "recipient", "answer", "variable"),
    [
        ("client", "ada@example.org", "554 5.7.1", "PINGPILOT_SMTP_USERNAME"),
        ("access", "ada@example.org", "554 5.7.1", "PINGPILOT_SMTP_USERNAME"),
        ("sender", "ada@example.org", "554 5.7.1", "PINGPILOT_SMTP_FROM"),
        ("relay", "ada@elsewhere.example", "554 5.7.1", "PINGPILOT_SMTP_USERNAME"),
        ("default", "ada@elsewhere.example", "454 4.7.1", "PINGPILOT_SMTP_USERNAME"),
        ("starttls", "ada@example.org", "530 5.7.0", "PINGPILOT_SMTP_SECURITY"),
    ],
)
async def test_what_postfix_has_against_us_pauses_the_channel(
    doors: dict[str, int], door: str, recipient: str, answer: str, variable: str
) -> None:
    failure = await Door(doors[door]).failure(recipient)

    assert isinstance(failure, ChannelUnavailable)
    assert answer in failure.reason
    assert variable in failure.reason


@pytest.mark.parametrize("when", ["helo", "ehlo"])
async def test_a_bare_name_is_refused_and_our_own_is_taken(doors: dict[str, int], when: str) -> None:
    refused = await Door(doors[when], helo="box").failure()
    await Door(doors[when]).send()

    assert isinstance(refused, ChannelUnavailable)
    assert "504 5.5.2" in refused.reason
    assert "PINGPILOT_SMTP_HELO" in refused.reason


async def test_what_postfix_has_against_one_recipient_is_theirs(doors: dict[str, int]) -> None:
    await Door(doors["open"]).send()
    put_off = await Door(doors["grey"]).failure("grey@example.org")
    unknown = await Door(doors["known"]).failure("nobody@example.org")

    assert isinstance(put_off, TemporaryFailure)
    assert put_off.recipient_alone
    assert isinstance(unknown, PermanentFailure)
    assert unknown.recipient_gone


async def test_one_who_is_refused_is_compared_with_one_who_is_served(doors: dict[str, int]) -> None:
    door = Door(doors["relay"])
    await door.send("ada@example.org")

    failure = await door.failure("ada@elsewhere.example")

    assert isinstance(failure, TemporaryFailure)
    assert failure.recipient_alone


async def test_letters_beyond_ascii_go_where_they_are_taken(doors: dict[str, int]) -> None:
    await Door(doors["open"]).send("jürgen@example.org")
    failure = await Door(doors["ascii"]).failure("jürgen@example.org")

    assert isinstance(failure, PermanentFailure)
    assert "SMTPUTF8" in failure.reason


async def test_encryption_is_told_from_its_absence(
    doors: dict[str, int], trusting: ssl.SSLContext, authority: trustme.CA, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))

    await Door(doors["tls"], security="tls", tls_context=trusting).send()
    await Door(doors["starttls"], security="starttls", ca_file=str(ca_file)).send()
    untrusted = await Door(doors["starttls"], security="starttls").failure()
    not_at_once = await Door(doors["open"], security="tls").failure()

    assert "PINGPILOT_SMTP_CA_FILE" in untrusted.reason
    assert "set PINGPILOT_SMTP_SECURITY to starttls" in not_at_once.reason
