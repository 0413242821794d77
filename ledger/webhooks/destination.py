"""Where a message may go: never into a private network, unless the operator allows it.

The name is resolved here, every address that it has must be public, and the connection goes to the address that was looked at: a name that
answers differently the second time leads nowhere else.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

import httpx
from msgspec import Struct

URL_LENGTH_MAX = 2_000


#: All of IPv6 that is the internet. The rest is links, sites, and what a network may translate to IPv4 addresses, private ones included.
GLOBAL_UNICAST = ip_network("2000::/3")
#: Kept for protocols and for examples, which not every Python knows; some clouds answer there with a machine's secrets.
SET_ASIDE = tuple(map(ip_network, ("192.0.0.0/24", "2001::/23", "3fff::/20")))


class DestinationRefused(Exception):  # noqa: N818 - named for what happened
    """Nothing is sent there; the text says why."""


class Destination(Struct, frozen=True):
    """An address that was looked at, and what to send there so that the right host and certificate answer."""

    url: httpx.URL
    host: str
    server_name: str


def checked(url: str, *, private: bool) -> SplitResult:
    """This will give a URL in its parts. `private`: http and private networks are allowed. Raises DestinationRefused."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        port_is_fine, parts = False, urlsplit("")
    is_text = url.isascii() and url.isprintable() and " " not in url
    if len(url) > URL_LENGTH_MAX or not parts.hostname or not port_is_fine or not is_text:
        raise DestinationRefused("Give a URL such as https://portal.example/hooks.")
    if parts.username or parts.password or parts.fragment:
        raise DestinationRefused("The URL must hold no name, password or fragment: messages are signed instead.")
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise DestinationRefused("The URL must begin with https://.")
    return parts


async def resolved(url: str, *, private: bool) -> Destination:
    """This will look a URL's host up and choose an address. Raises DestinationRefused, and OSError for a name that is not known."""
    parts = checked(url, private=private)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ip_address(str(address[4][0]).partition("%")[0]) for address in found]
    if not private and (odd := [one for one in addresses if not is_public(one)]):
        raise DestinationRefused(
            f"{host} leads to {odd[0]}, which is not on the public internet. LEDGER_WEBHOOKS_PRIVATE=yes allows that."
        )
    return Destination(
        httpx.URL(url).copy_with(host=str(addresses[0]), port=port), parts.netloc.rpartition("@")[2], host
    )


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """This will say whether an address is one of the public internet, and wraps no address that may not be."""
    if isinstance(address, IPv6Address) and (address not in GLOBAL_UNICAST or address.sixtofour is not None):
        return False
    if any(address in network for network in SET_ASIDE):
        return False
    return address.is_global and not address.is_multicast
