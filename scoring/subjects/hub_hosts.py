"""Where a hub may send its clients: its own address, or a public one behind TLS, never into this network.

A download of the real hub ends at another host, so redirections are followed. One that leads to a service on this
machine or in its network would let whoever answers for the hub reach what only this machine reaches.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub import constants, set_client_factory
from huggingface_hub.utils._http import default_client_factory, hf_request_event_hook

from ..errors import HubUnavailable, shown


def keep_to_public_hosts(endpoint: str | None, also: Collection[str] = ()) -> None:
    """From here on this process' requests to the hub, redirected ones too, go nowhere but where they may go.

    That is the hub at `endpoint`, the hosts in `also` (the storage of a mirror in one's own network), and public
    addresses by https. Other requests raise HubUnavailable. Where names cannot be looked up, a proxy does it, and has
    rules of its own.
    """
    own = _origin(httpx2.URL(endpoint or constants.ENDPOINT))

    def check(request: httpx2.Request) -> None:
        url = request.url
        if _origin(url) == own or url.host in also or (url.scheme == "https" and _is_public(url.host)):
            return
        raise HubUnavailable(
            f"the hub sends its clients to {shown(f'{url.scheme}://{url.host}')}, which is not public",
            hint="where this is the storage of your own mirror, name its host in BROCA_HUB_HOSTS",
        )

    def client() -> httpx2.Client:
        return httpx2.Client(
            event_hooks={"request": [check, hf_request_event_hook]}, follow_redirects=True, timeout=None
        )

    set_client_factory(client)


@contextmanager
def public_hosts_only(endpoint: str | None, also: Collection[str] = ()) -> Iterator[None]:
    """The same for the length of a block; afterwards requests go where they went before anybody said so."""
    keep_to_public_hosts(endpoint, also)
    try:
        yield
    finally:
        set_client_factory(default_client_factory)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _is_public(host: str) -> bool:
    """Whether every address of a host is reachable from everywhere; a name without addresses here may be."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        return host != "localhost"
    return all(ipaddress.ip_address(str(address[4][0]).partition("%")[0]).is_global for address in found)
