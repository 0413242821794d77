"""The identity provider is down: kept keys do for a while, and then the door is closed, though not to the ledger's own tokens."""

import time
from typing import Any

import httpx
import psycopg
import pytest

from ledger.api import keys
from ledger.api.authentication import Door
from ledger.directory import identities
from ledger.directory.identities import Identity
from tests.api.conftest import Api
from tests.api.provider import ADA, IdentityProvider
from tests.faults.cluster import until
from tests.faults.figures import Figures

VIEWER = {"query": "{ viewer { authenticatedBy } }"}


def test_kept_keys_do_and_then_the_door_is_closed(
    api: Api, provider: IdentityProvider, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = api.client()
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        identities.link(connection, Identity(provider.issuer, ADA, ada.member_id))

    def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.post(f"{api.base_url}/graphql", json=VIEWER, headers=headers).status_code

    assert status(provider.token()) == 200
    provider.down()
    assert [status(provider.token()) for _ in range(5)] == [200] * 5
    kept_s = keys.KEPT_S
    monkeypatch.setattr(keys, "KEPT_S", 0.0)  # its time is over
    assert status(provider.token()) in (401, 503)
    assert status(ada.token) == 200
    time.sleep(2.0)
    monkeypatch.setattr(keys, "FETCH_EVERY_S", 0.2)
    provider.up()
    at = time.monotonic()
    monkeypatch.setattr(keys, "KEPT_S", 2.0)  # what was fetched before is older than that
    until(lambda: status(provider.token()) == 200, seconds=20)
    figures.named(
        "identity provider down",
        f"kept keys for {kept_s / 60:.0f} min, then closed; own tokens go on; open again at the next fetch",
        after_s=time.monotonic() - at,
    )


# So that the test above can fail.


def test_a_client_that_keeps_keys_for_ever_is_found_out(
    api: Api, provider: IdentityProvider, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = keys.Keys.find

    async def keeping(self: keys.Keys, kid: str) -> Any:
        return self._keys.get(kid) or await find(self, kid)

    check = test_kept_keys_do_and_then_the_door_is_closed
    with pytest.MonkeyPatch.context() as planted:
        planted.setattr(keys.Keys, "find", keeping)
        given = (api, provider, figures, monkeypatch)
        figures.found_out("a client that keeps keys for ever", r"200 in \(401, 503\)", check, *given)


def test_a_door_that_asks_the_provider_of_everybody_is_found_out(
    api: Api, provider: IdentityProvider, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Door._by_token

    async def asking(self: Door, secret: str) -> Any:
        try:
            await self._verifiers._by_issuer[provider.issuer].keys.find("any")
        except keys.KeysUnavailable:
            return None
        return await whole(self, secret)

    check = test_kept_keys_do_and_then_the_door_is_closed
    with pytest.MonkeyPatch.context() as planted:
        planted.setattr(Door, "_by_token", asking)
        given = (api, provider, figures, monkeypatch)
        figures.found_out("a door that closes the ledger's own tokens too", r"401 == 200", check, *given)
