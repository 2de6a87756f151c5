"""Which addresses webhooks may lead to."""

from ipaddress import ip_address

import pytest

from pingpilot.networks import networks_of, obstacle_in

REFUSED = {
    # IPv4
    "0.0.0.0": "an unspecified",  # noqa: S104  # one to refuse
    "0.1.2.3": "an unspecified",
    "10.0.0.1": "a private",
    "10.255.255.255": "a private",
    "100.64.0.1": "a shared",
    "100.100.100.200": "a shared",  # Alibaba Cloud's metadata
    "100.127.255.255": "a shared",
    "127.0.0.1": "a loopback",
    "127.255.255.254": "a loopback",
    "168.63.129.16": "a metadata",
    "169.254.169.254": "a metadata",
    "169.254.170.2": "a link-local",  # the metadata of Amazon's containers
    "172.16.0.1": "a private",
    "172.31.255.255": "a private",
    "192.0.0.192": "a reserved",  # Oracle Cloud's metadata
    "192.0.2.1": "a reserved",
    "192.88.99.1": "a reserved",
    "192.168.0.1": "a private",
    "198.18.0.1": "a reserved",
    "198.51.100.1": "a reserved",
    "203.0.113.1": "a reserved",
    "224.0.0.1": "a multicast",
    "239.255.255.255": "a multicast",
    "240.0.0.1": "a reserved",
    "255.255.255.255": "a reserved",
    # IPv6
    "::": "an unspecified",
    "::1": "a loopback",
    "::127.0.0.1": "a reserved",
    "::10.0.0.1": "a reserved",
    "fe80::1": "a link-local",
    "fe80::1%eth0": "a link-local",
    "fec0::1": "a site-local",
    "fc00::1": "a private",
    "fd00:ec2::254": "a private",  # Amazon's metadata
    "fd20:ce::254": "a private",  # Google Cloud's metadata
    "ff02::1": "a multicast",
    "100::1": "a reserved",
    "2001:db8::1": "a reserved",
    "3fff::1": "a reserved",
    "4000::1": "a reserved",
    "5f00::1": "a reserved",
    # IPv4 within IPv6
    "::ffff:127.0.0.1": "a loopback",
    "::ffff:7f00:1": "a loopback",
    "::ffff:10.0.0.1": "a private",
    "::ffff:169.254.169.254": "a metadata",
    "::ffff:0:127.0.0.1": "a reserved",  # translated, RFC 2765
    "64:ff9b::127.0.0.1": "a loopback",
    "64:ff9b::10.0.0.1": "a private",
    "64:ff9b::a9fe:a9fe": "a metadata",
    "64:ff9b:1::10.0.0.1": "a reserved",
    "2002:7f00:1::": "a 6to4",
    "2002:808:808::1": "a 6to4",
    "2001::1": "a Teredo",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": "a Teredo",
    "2001:10::1": "a reserved",
    "2001:20::1": "a reserved",
    "2620:0:1c00::5efe:10.0.0.1": "an ISATAP",
    "2620:0:1c00::200:5efe:127.0.0.1": "an ISATAP",
}
TAKEN = [
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001:80b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize("text", REFUSED)
def test_an_address_that_is_not_of_the_internet_is_refused(text: str) -> None:
    assert obstacle_in(ip_address(text)) == REFUSED[text]


@pytest.mark.parametrize("text", TAKEN)
def test_an_address_of_the_internet_is_taken(text: str) -> None:
    assert obstacle_in(ip_address(text)) is None


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd00:1::1"])
def test_a_network_that_is_opened_is_taken_in_each_of_its_forms(text: str) -> None:
    allowed = networks_of(["10.0.0.0/8", "fd00:1::/32"])

    assert obstacle_in(ip_address(text), allowed) is None
    assert obstacle_in(ip_address("192.168.0.1"), allowed) == "a private"
    assert obstacle_in(ip_address("127.0.0.1"), allowed) == "a loopback"


def test_opening_one_address_opens_no_other() -> None:
    allowed = networks_of(["169.254.170.2"])

    assert obstacle_in(ip_address("169.254.170.2"), allowed) is None
    assert obstacle_in(ip_address("169.254.169.254"), allowed) == "a metadata"
