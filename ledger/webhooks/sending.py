"""One attempt: a signed message to an address that was looked at, and what the answer means."""

import asyncio
from datetime import UTC, datetime
from enum import Enum

import httpx
from msgspec import Struct
from standardwebhooks.webhooks import Webhook

from ledger.webhooks.destination import DestinationRefused, resolved
from ledger.webhooks.endpoints import ENDPOINTS_MAX
from ledger.webhooks.messages import Message

#: Longest that an attempt may take in all, from looking the name up to the answer's status, in seconds.
ANSWER_S = 10.0
USER_AGENT = "decision-ledger-webhooks/1"


class Meaning(Enum):
    """What an attempt amounts to."""

    DELIVERED = "delivered"
    #: Try again later, however often: the endpoint is away or busy.
    AWAY = "away"
    #: The endpoint took it and did not want it; after a few attempts it never will.
    REFUSED = "refused"
    #: The endpoint wants no messages any more (410), or may not have any.
    ENDED = "ended"


class Attempt(Struct, frozen=True):
    """How one went; `fault` says why it was no delivery."""

    meaning: Meaning
    fault: str = ""


def client() -> httpx.AsyncClient:
    """This will make the client that all attempts share: no redirects, no proxies, no cookies kept."""
    return httpx.AsyncClient(
        timeout=None,  # noqa: S113 - an attempt has one limit, over all its parts
        follow_redirects=False,
        trust_env=False,
        # One for each endpoint, which is told one thing at a time: none waits for another's.
        limits=httpx.Limits(max_connections=ENDPOINTS_MAX, max_keepalive_connections=0),
    )


async def attempt(http: httpx.AsyncClient, url: str, secret: str, message: Message, *, private: bool) -> Attempt:
    """This will send a message once. It raises nothing: every outcome has a meaning."""
    try:
        async with asyncio.timeout(ANSWER_S):
            to = await resolved(url, private=private)
            request = http.build_request(
                "POST",
                to.url,
                content=message.body,
                headers={**signed(secret, message), "Host": to.host, "User-Agent": USER_AGENT},
                extensions={"sni_hostname": to.server_name},
            )
            response = await http.send(request, stream=True)
            await response.aclose()  # what it says beyond its status is not read
    except TimeoutError:
        return Attempt(Meaning.AWAY, f"It did not answer within {ANSWER_S:.0f} s.")
    except DestinationRefused as error:
        return Attempt(Meaning.ENDED, str(error))
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Attempt(Meaning.AWAY, f"{type(error).__name__}: {error}"[:300].removesuffix(": "))
    return meaning_of(response.status_code)


def meaning_of(status: int) -> Attempt:
    """This will read a status."""
    fault = f"It answered {status}."
    if 200 <= status < 300:  # noqa: PLR2004
        return Attempt(Meaning.DELIVERED)
    if status == httpx.codes.GONE:
        return Attempt(Meaning.ENDED, fault)
    if 400 <= status < 500 and status not in (408, 425, 429):  # noqa: PLR2004
        return Attempt(Meaning.REFUSED, fault)
    return Attempt(Meaning.AWAY, fault)


def signed(secret: str, message: Message) -> dict[str, str]:
    """This will give the headers of Standard Webhooks: id, time and signature over both and the body."""
    at = datetime.now(UTC)
    return {
        "Content-Type": "application/json",
        "webhook-id": message.message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message.message_id, at, message.body.decode()),
    }
