"""Which addresses a feed may be fetched from: what may be typed, and what is of the public internet."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from pushjobs.campaigns.feeds import Feed, Known, read_feed
from pushjobs.campaigns.fetching import address_fault, is_public
from pushjobs.domain.moment import SHANGHAI
from pushjobs.errors import InvalidInput


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "223.5.5.5", "2606:4700:4700::1111", "2400:3200::1", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_public_addresses(address: str) -> None:
    """Addresses of the internet are public, also where one is written within another."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - looked at, not bound
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.1.2.3",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:101:101::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_within(address: str) -> None:
    """Our machine, private networks, a cloud's doors, tunnels, multicast: none is public, in whatever spelling."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("https://news.example/feed.xml", None),
        ("http://news.example:8080/?a=b#c", None),
        ("http://[2606:4700::1]/", None),
        ("http://新闻.example/", None),
        ("HTTP://NEWS.EXAMPLE/", None),
        ("ftp://news.example/", "is no address of http or https"),
        ("file:///etc/passwd", "is no address of http or https"),
        ("news.example/feed", "is no address of http or https"),
        ("https:///feed", "is no address of http or https"),
        ("https://user@news.example/", "holds a user name or a password"),
        ("https://:secret@news.example/", "holds a user name or a password"),
        ("https://news.example:99999/", "names a port that is none"),
        ("https://news.example/\n", "is no address"),
        ("https://[::1", "is no address"),
        ("https://news.example/" + "a" * 2000, "is 2021 characters long"),
    ],
)
def test_addresses_that_may_be_typed(address: str, fault: str | None) -> None:
    """Only http and https, without a name and a password; a fault repeats nothing of the address."""
    found = address_fault(address)
    assert (found and found[0]) == fault
    assert found is None or "secret" not in " ".join(found)


def test_a_feed_is_read_from_its_definition() -> None:
    """An address, and whether a run without news is skipped: not, unless it is said."""
    assert read_feed({"url": "https://a.example/"}, SHANGHAI) == Feed(url="https://a.example/", zone=SHANGHAI)
    assert read_feed({"url": "https://a.example/", "skip_if_nothing_new": True}, SHANGHAI).skip_if_nothing_new


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("https://a.example/", "feed is no object"),
        ({}, "feed.url is missing"),
        ({"url": 5}, "feed.url is missing or no text"),
        ({"url": "https://a.example/", "every": 5}, "feed has a name it does not know"),
        ({"url": "https://a.example/", "skip_if_nothing_new": "no"}, "feed.skip_if_nothing_new is neither"),
        ({"url": "https://a:b@a.example/"}, "feed.url holds a user name"),
    ],
)
def test_a_feed_of_the_wrong_shape(value: object, said: str) -> None:
    """Each fault names its place and what is allowed."""
    with pytest.raises(InvalidInput) as caught:
        read_feed(value, SHANGHAI)
    assert str(caught.value).startswith(said)


def test_what_is_known_comes_back_from_its_record() -> None:
    """What is kept of a fetch survives being stored."""
    for known in (
        Known(entry_id="1"),
        Known(entry_id="1", published=datetime(2026, 12, 1, tzinfo=UTC), etag='"a"', last_modified="x"),
    ):
        assert Known.from_record(known.as_record()) == known
