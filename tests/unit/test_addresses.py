"""Addresses that people write."""

from __future__ import annotations

import pytest

from cronjobs.addresses import hidden_address, parse_address, split_address
from cronjobs.exceptions import InvalidAddress


@pytest.mark.parametrize(
    "text",
    [
        "https://hc.example.com/3f2c",
        "http://127.0.0.1:8000/",
        "http://[::1]:8000/ping?x=1",
        "https://my_host/x",
        "HTTPS://Example.com",
        "http://localhost",
        "",
    ],
)
def test_an_address_stays_as_it_is(text):
    assert parse_address(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "ftp://hc.example.com/secret",
        "file:///etc/secret",
        "gopher://hc.example.com/secret",
        "javascript:alert('secret')",
        "//hc.example.com/secret",
        "https:///secret",
        "https://ann:secret@hc.example.com/",
        "https://secret@hc.example.com/",
        "https://good.example.com\\@secret.example.com/",
        "https://good.example.com\\.secret.example.com/",
        "https://hc.example.com/secret path",
        "https://hc.example.com/secret\r\nHost: other",
        "https://hc.example.com/secret\t",
        "https://hc.exämple.com/secret",
        "https://hc.example.com:99999/secret",
        "https://hc.example.com:0/secret",
        "https://hc.example.com:secret/",
        "https://[::1/secret",
        "https://-hc.example.com/secret",
        f"https://hc.example.com/secret{'x' * 500}",
        5,
        None,
    ],
)
def test_what_is_none_is_refused_without_being_quoted(text):
    with pytest.raises(InvalidAddress) as refused:
        parse_address(text)

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "hosts", "is_allowed"),
    [
        ("https://hc.example.com/x", (), True),
        ("https://hc.example.com/x", ("hc.example.com",), True),
        ("https://HC.Example.com./x", ("hc.example.com",), True),
        ("https://hc.example.com:8443/x", ("other.org", "HC.example.com"), True),
        ("https://a.example.com/x", (".example.com",), True),
        ("https://example.com/x", (".example.com",), True),
        ("https://badexample.com/x", (".example.com",), False),
        ("https://a.hc.example.com/x", ("hc.example.com",), False),
        ("https://hc.example.com.evil.org/x", ("hc.example.com",), False),
        ("http://169.254.169.254/latest", ("hc.example.com",), False),
        ("http://localhost/x", ("hc.example.com",), False),
    ],
)
def test_hosts_limit_where_an_address_leads(address, hosts, is_allowed):
    if is_allowed:
        assert split_address(address, hosts=hosts).geturl()
    else:
        with pytest.raises(InvalidAddress, match="is not one of those that the settings allow"):
            split_address(address, hosts=hosts)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://hc.example.com:8443/secret?key=secret", "https://hc.example.com:8443/***"),
        ("https://ann:secret@hc.example.com/secret", "https://hc.example.com/***"),
        ("secret", "***"),
        ("https://[secret", "***"),
        ("", ""),
    ],
)
def test_only_the_host_is_shown(address, shown):
    assert hidden_address(address) == shown
