from __future__ import annotations

from typing import Any

import pytest

from api.security import needs_key
from api.settings import ApiSettings
from broca.connection import Connection
from scoring.addresses import client_of, is_elsewhere, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1"])
def test_this_machine_alone(host: str) -> None:
    assert is_loopback(host)
    assert not is_elsewhere(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "203.0.113.5", "2001:db8::1", "::ffff:10.0.0.1"])
def test_addresses_that_others_reach(host: str) -> None:
    assert not is_loopback(host)
    assert is_elsewhere(host)


@pytest.mark.parametrize("host", ["", "example.org", "127.0.0.1.example.org", "localhost.example.org"])
def test_names_are_not_looked_up(host: str) -> None:
    assert not is_loopback(host)
    assert not is_elsewhere(host)


def test_one_household_is_one_client() -> None:
    assert client_of("2001:db8:1:2::1") == client_of("2001:db8:1:2:ffff::9")
    assert client_of("2001:db8:1:2::1") != client_of("2001:db8:1:3::1")
    assert client_of("203.0.113.5") == "203.0.113.5"
    assert client_of("::ffff:203.0.113.5") == "::ffff:203.0.113.5"


def asked(**changes: Any) -> dict[str, Any]:
    headers = {"host": "127.0.0.1:8000", **changes.pop("headers", {})}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    ends = {"server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 50_000)}
    return {"type": "http", "method": "GET", "path": "/v1/jobs", **ends, "headers": raw, **changes}


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost:8000", "localhost", "[::1]:8000", "api", "broca.localhost"]
)
def test_no_key_is_needed_where_all_is_on_this_machine(host: str) -> None:
    assert not needs_key(asked(headers={"host": host}), ApiSettings())
    assert needs_key(asked(headers={"host": host}), ApiSettings(require_keys=True))
    assert needs_key(asked(headers={"host": host}), ApiSettings(host="0.0.0.0"))


@pytest.mark.parametrize(
    "scope",
    [
        asked(server=("10.0.0.2", 8000)),
        asked(client=("10.0.0.3", 50_000)),
        asked(client=("2001:db8::1", 50_000)),
        asked(headers={"x-forwarded-for": "127.0.0.1"}),
        asked(headers={"forwarded": "for=127.0.0.1"}),
        asked(headers={"host": "broca.example.org"}),
        asked(headers={"host": "rebound.example.org:8000"}),
        asked(headers={"host": "localhost.example.org"}),
    ],
    ids=["server", "client", "client6", "proxy", "proxy2", "name", "rebinding", "name that begins well"],
)
def test_a_key_is_needed_where_somebody_else_may_be_asking(scope: dict[str, Any]) -> None:
    assert needs_key(scope, ApiSettings())


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_the_client_asks_this_machine_without_a_proxy(host: str) -> None:
    connection = Connection(f"http://{host}:1", timeout_s=1)
    assert not connection._http.trust_env
    connection.close()
