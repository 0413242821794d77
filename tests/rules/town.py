"""A town of teams on one served ledger: people with tokens ask for things over HTTP, in plain verbs, and read back what came of it.

Ids are the clients' own, as texts. Whatever is read is read at the position of the last thing done, so that nothing waits blindly.
"""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import msgspec
import psycopg

from ledger.commands.team import AddMember, GrantRole
from ledger.directory import members, tokens
from ledger.events import Event
from ledger.events.simulation import SimulationCompleted, SimulationFailed, SimulationInterrupted
from ledger.store.application import Ledger
from ledger.values import ORGANISATION, MemberId, Role
from tests.api.conftest import PEPPER, Api, case
from tests.rules.queries import BACKLOG, INBOX, NOTICES, REVIEW, TIMELINE, TRANSPARENCY, WHY_NOT
from tests.rules.saying import estimate, impact, left_over, no, now

#: What the server records by itself, whenever it comes to it.
REPLAY_ENDS = (SimulationCompleted, SimulationFailed, SimulationInterrupted)


class Refusal(NamedTuple):
    """Why nothing was recorded, as the client reads it."""

    code: str
    message: str
    path: list[str]


class Person:
    """Somebody with a token."""

    def __init__(self, town: "Town", name: str, member_id: MemberId, token: str) -> None:
        self.town, self.name, self.id = town, name, str(member_id)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def answer(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer, errors and all."""
        body = msgspec.json.encode({"query": query, "variables": variables})
        return self.town.http.post("/graphql", content=body, headers=self._headers).json()

    def asks(self, query: str, **variables: Any) -> Any:
        """What the only root field answers, at the position of the last thing done."""
        found = self.answer(query, at=self.town.at, **variables)
        assert "errors" not in found, found["errors"]
        (data,) = found["data"].values()
        return data

    def error(self, query: str, **variables: Any) -> tuple[str, str]:
        """The code and the sentence of the only error."""
        (found,) = self.answer(query, **variables)["errors"]
        return found["extensions"]["code"], found["message"]

    def sends(self, mutation: str, **given: Any) -> dict[str, Any]:
        """The payload of a mutation, whatever it is."""
        found = self.answer(document(mutation), input=given)
        assert "errors" not in found, found["errors"]
        return found["data"][mutation]

    def does(self, mutation: str, **given: Any) -> dict[str, Any]:
        """The payload of a mutation that must be accepted."""
        payload = self.sends(mutation, **given)
        assert payload["userErrors"] == [], payload["userErrors"]
        self.town.at = payload["position"]
        return payload

    def does_all(self, *asked: tuple[str, dict[str, Any]]) -> None:
        """Several mutations that must all be accepted, one after the other in one request."""
        names = [name for name, _ in asked]
        heads = ", ".join(f"$i{number}: {kind_of(name)}Input!" for number, name in enumerate(names))
        verbs = " ".join(f"d{number}: {verb(name, f'i{number}')}" for number, name in enumerate(names))
        found = self.answer(
            f"mutation All({heads}) {{ {verbs} }}", **{f"i{number}": given for number, (_, given) in enumerate(asked)}
        )
        assert "errors" not in found, found["errors"]
        assert [payload["userErrors"] for payload in found["data"].values()] == [[]] * len(asked)
        self.town.at = found["data"][f"d{len(asked) - 1}"]["position"]

    def is_refused(self, mutation: str, **given: Any) -> Refusal:
        """Why a mutation was refused; nothing may have been recorded of it."""
        before = self.town.ledger.head()
        payload = self.sends(mutation, **given)
        assert payload["position"] is payload["version"] is None
        assert self.town.recorded(before) == []
        (error,) = payload["userErrors"]
        return Refusal(error["code"], error["message"], error["path"])


def kind_of(mutation: str) -> str:
    """The name of a mutation as its types have it."""
    return mutation[0].upper() + mutation[1:]


def verb(mutation: str, variable: str) -> str:
    """A mutation with all that it answers."""
    return (
        f"{mutation}(input: ${variable}) {{ userErrors {{ code message path }} position version repeated commandId }}"
    )


def document(mutation: str) -> str:
    """The text that asks for a mutation by its name."""
    return f"mutation M($input: {kind_of(mutation)}Input!) {{ {verb(mutation, 'input')} }}"


class Town:
    """The served ledger, and the steward who founds its teams."""

    def __init__(self, api: Api, http: httpx.Client, directory: psycopg.Connection) -> None:
        self.api, self.http, self.directory = api, http, directory
        self.ledger: Ledger = api.ledger
        self.database_url = api.database_url
        #: The position of the last thing done.
        self.at = "0"
        self.steward = self.person("Stella", Role.STEWARD)
        self.auditor = self.person("Aude", Role.AUDITOR)

    def recorded(self, after: int) -> list[Event]:
        """What was asked for and recorded after a position. A replay that another test has asked for may end at any time."""
        return [event for event in self.ledger.read(after, 100) if not isinstance(event.fact, REPLAY_ENDS)]

    def person(self, name: str, role: Role | None = None) -> Person:
        """Somebody with a token and at most a role across teams, which the system itself gives."""
        member_id = MemberId(uuid4())
        members.put(self.directory, [members.Person(member_id, name)])
        token, _ = tokens.create(self.directory, PEPPER, member_id, "tests")
        if role is not None:
            self.api.issue(AddMember(ORGANISATION, member_id))
            self.api.issue(GrantRole(ORGANISATION, member_id, role))
            self.at = str(self.ledger.head())
        return Person(self, name, member_id, token)

    def team(self, name: str = "Checkout", capacity: int = 20) -> "Team":
        """A new team with an engineer, a lead and a product manager."""
        return Team(self, name, capacity)


class Team:
    """One team: what its people usually do, and what they can read. Pass `by` for somebody else to do it."""

    def __init__(self, town: Town, name: str, capacity: int) -> None:
        self.town, self.id = town, str(uuid4())
        self.engineer, self.lead, self.product = (town.person(member) for member in ("Ada", "Lea", "Pia"))
        town.steward.does_all(
            ("formTeam", {"teamId": self.id, "name": name, "weeklyHours": "200"}),
            ("setCapacity", {"teamId": self.id, "daysPerCycle": str(capacity)}),
            *self._joining(self.engineer, Role.ENGINEER),
            *self._joining(self.lead, Role.ENGINEERING_LEAD),
            *self._joining(self.product, Role.PRODUCT_MANAGER),
        )
        self._may_read(self.product, Role.PRODUCT_MANAGER)

    def joined_by(self, name: str, *roles: Role) -> Person:
        """Somebody who is in the team now, and may read it."""
        who = self.town.person(name)
        self.town.steward.does_all(*self._joining(who, *roles))
        self._may_read(who, *roles)
        return who

    def _joining(self, who: Person, *roles: Role) -> list[tuple[str, dict[str, Any]]]:
        of = {"teamId": self.id, "memberId": who.id}
        return [("addMember", of), *(("grantRole", {**of, "role": role}) for role in roles)]

    def _may_read(self, who: Person, *roles: Role) -> None:
        """This waits until the view of who may read what has heard of the last who joined."""
        held = who.asks("query V($at: Position) { viewer(atLeast: $at) { teams { teamId roles } } }")["teams"]
        assert held == [{"teamId": self.id, "roles": sorted(roles)}]

    # What is done

    def propose(
        self,
        *,
        by: Person | None = None,
        days: int | None = 5,
        drag: int | None = 10,
        at: datetime | None = None,
        **case_more: Any,
    ) -> str:
        """A proposal with a case, an estimate and an impact, each in its first version."""
        proposal_id = str(uuid4())
        said = {"proposalId": proposal_id, "businessCase": case(**case_more), "occurredAt": at}
        asked = [("submitProposal", self.submission(**said))]
        if days is not None:
            asked.append(("estimateProposal", estimate(proposal_id, days, days, days)))
        if drag is not None:
            asked.append(("assessImpact", impact(proposal_id, drag)))
        (by or self.engineer).does_all(*asked)
        return proposal_id

    def submission(self, **more: Any) -> dict[str, Any]:
        """What a submission says."""
        return {"teamId": self.id, "title": "One price engine", "businessCase": case(), **more}

    def estimate_again(self, proposal_id: str, days: int, cause: str) -> None:
        """A changed estimate with its cause."""
        self.engineer.does("estimateProposal", **estimate(proposal_id, days, days, days), cause=cause)

    def assess_again(self, proposal_id: str, drag: int) -> None:
        """A new measurement of what the debt costs, in engineer-hours a week."""
        self.engineer.does("assessImpact", **impact(proposal_id, drag))

    def scheduled(self, kind: str = "PRODUCT") -> str:
        """A planned review."""
        return self._reviewing(kind)

    def frozen(self, *proposal_ids: str, kind: str = "PRODUCT") -> str:
        """A review with these on its agenda, and not yet open."""
        return self._reviewing(kind, ("freezeAgenda", {"proposalIds": proposal_ids}))

    def opened(
        self, *proposal_ids: str, kind: str = "PRODUCT", capacity: int | None = None, at: datetime | None = None
    ) -> str:
        """An open review with these on its agenda; `at`: when it was opened, if it is told of later."""
        given: dict[str, Any] = {"attendees": [self.product.id, self.lead.id], "occurredAt": at}
        given["capacity"] = None if capacity is None else str(capacity)
        return self._reviewing(kind, ("freezeAgenda", {"proposalIds": proposal_ids}), ("openReview", given))

    def _reviewing(self, kind: str, *asked: tuple[str, dict[str, Any]]) -> str:
        review_id = str(uuid4())
        planned = {"reviewId": review_id, "teamId": self.id, "kind": kind, "startsAt": now()}
        by = self.product if kind == "PRODUCT" else self.lead
        by.does_all(("scheduleReview", planned), *((name, {"reviewId": review_id, **given}) for name, given in asked))
        return review_id

    def decide(self, answer: dict[str, Any], *, by: Person | None = None) -> str:
        """A decision; its id."""
        (by or self.product).does("takeDecision", **answer)
        return answer["decisionId"]

    def declined(self, *, by: Person | None = None, decided_by: Person | None = None) -> tuple[str, str]:
        """A proposal that was declined for good, though it may be thought of again; its id and the decision's."""
        proposal_id = self.propose(by=by)
        return proposal_id, self.decide(no(self.opened(proposal_id), proposal_id), by=decided_by)

    def tell(self, proposal_id: str, decision_id: str, *people: Person) -> None:
        """An answer told by e-mail."""
        audience = [person.id for person in people]
        given = {"proposalId": proposal_id, "decisionId": decision_id, "channel": "EMAIL", "audience": audience}
        self.product.does("communicateDecision", **given)

    def carry_over(self, review_id: str, proposal_id: str) -> None:
        """An item left for the next review."""
        self.product.does("carryOverItem", **left_over(review_id, proposal_id))

    # What is read

    def why_not(self, proposal_id: str, *, by: Person | None = None) -> dict[str, Any]:
        """The whole story of a proposal."""
        return (by or self.engineer).asks(WHY_NOT, of=proposal_id)

    def status(self, proposal_id: str) -> str:
        """Where a proposal stands."""
        return self.why_not(proposal_id)["proposal"]["status"]

    def decision(self, proposal_id: str) -> dict[str, Any]:
        """The only decision of a proposal."""
        (found,) = self.why_not(proposal_id)["decisions"]
        return found["decision"]

    def timeline(self, of: str, *kinds: str) -> list[dict[str, Any]]:
        """The facts of a stream, in order; only of these kinds if any are named."""
        return self.engineer.asks(TIMELINE, of=of, kinds=kinds or None)["nodes"]

    def kinds(self, of: str) -> list[str]:
        """The kinds of a stream's facts, in order."""
        return [entry["kind"] for entry in self.timeline(of)]

    def review(self, review_id: str) -> dict[str, Any]:
        """A review with its agenda."""
        return self.engineer.asks(REVIEW, of=review_id)

    def notices(self, *, told: bool) -> dict[str, dict[str, Any]]:
        """The NOs that wait to be told, or to be acknowledged, by the decision's id."""
        nodes = self.engineer.asks(NOTICES, told=told)["nodes"]
        return {node["decision"]["decisionId"]: node for node in nodes}

    def backlog(self) -> list[str]:
        """What waits for an answer of this team, best first."""
        return [node["proposalId"] for node in self.engineer.asks(BACKLOG)["nodes"]]

    def inbox(self, who: Person) -> list[str]:
        """What waits for somebody."""
        return [found["proposalId"] for found in who.asks(INBOX)]

    def transparency(self) -> dict[str, Any]:
        """How the team answers."""
        return self.engineer.asks(TRANSPARENCY, teams=[self.id])
