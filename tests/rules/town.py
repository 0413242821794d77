"""A town of teams on one served ledger: people with tokens ask for things over HTTP, in plain verbs, and read back what came of it.

Ids are the clients' own, as texts. Whatever is read is read at the position of the last thing done, so that nothing waits blindly.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import msgspec
import psycopg

from ledger.commands.team import AddMember, GrantRole
from ledger.directory import members, tokens
from ledger.store.application import Ledger
from ledger.values import ORGANISATION, MemberId, Role
from tests.api.conftest import PEPPER, Api, case

WHY_NOT = """
query WhyNot($of: UUID!, $at: Position) {
  whyNot(proposalId: $of, atLeast: $at) {
    proposal { status caseVersion estimateVersion impactVersion }
    concerns { concernId text blocking state raisedBy { memberId } overruledBy { memberId } overruledBecause resolvedAt answer }
    decisions {
      decision {
        decisionId verdict disposition reviewId standing selfDecided final reconsiderIf unexplained tellBy toldAt acknowledgedAt
        decider { memberId name } basis { caseVersion estimateVersion impactVersion policyVersion }
        reasons { code text companion } chosenInstead revisit { kind on count hours } daysReserved capacityLeft overCapacityReason
        communications { channel namesProposer audience { memberId } }
        acknowledgements { answer by { memberId } }
        playbacks { text state correction }
        reopened { because note }
        provenance { system externalId }
      }
      conditions { summary holds }
      appeals { appealId state grounds outcome by { memberId } heardBy { memberId } }
      changes { kind before { version } after { version } changes { field before after } }
    }
  }
}
"""
TIMELINE = """
query Timeline($of: UUID!, $kinds: [String!], $at: Position) {
  timeline(of: $of, kinds: $kinds, first: 100, atLeast: $at) {
    nodes { kind version summary body position actor { memberId { memberId } role } }
  }
}
"""
REVIEW = """
query Review($of: UUID!, $at: Position) {
  review(reviewId: $of, atLeast: $at) {
    review { state capacity reserved itemCount decidedCount carriedOverCount minutesUrl }
    lines { item { proposalId state verdict daysReserved carriedOverBecause } }
  }
}
"""
NOTICES = """
query Notices($told: Boolean, $at: Position) {
  unansweredNotices(told: $told, atLeast: $at) { nodes { ageHours hoursOverdue decision { decisionId toldAt } } }
}
"""
TRANSPARENCY = """
query Transparency($teams: [UUID!], $at: Position) {
  transparency(teamIds: $teams, atLeast: $at) {
    proposed declined redirected startedWithoutYes started selfDecided
    declines { count told unexplained reasonedWhenDecided imported }
  }
}
"""
REASON = {
    "code": "NO_COMPELLING_CASE",
    "text": "The case rests on one slow week, and that week had another cause.",
    "companion": "The figures of a whole quarter.",
}


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

    def is_refused(self, mutation: str, **given: Any) -> Refusal:
        """Why a mutation was refused; nothing may have been recorded of it."""
        before = self.town.ledger.head()
        payload = self.sends(mutation, **given)
        assert payload["position"] is payload["version"] is None
        assert self.town.ledger.head() == before
        (error,) = payload["userErrors"]
        return Refusal(error["code"], error["message"], error["path"])


def document(mutation: str) -> str:
    """The text that asks for a mutation by its name."""
    kind = mutation[0].upper() + mutation[1:]
    return (
        f"mutation {kind}($input: {kind}Input!) {{ {mutation}(input: $input) {{ "
        "userErrors { code message path } position version repeated commandId } }"
    )


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
        steward = town.steward
        steward.does("formTeam", teamId=self.id, name=name, weeklyHours="200")
        steward.does("setCapacity", teamId=self.id, daysPerCycle=str(capacity))
        self.engineer = self._joined_by("Ada", Role.ENGINEER)
        self.lead = self._joined_by("Lea", Role.ENGINEERING_LEAD)
        self.product = self._joined_by("Pia", Role.PRODUCT_MANAGER)
        self._may_read(self.product, Role.PRODUCT_MANAGER)

    def joined_by(self, name: str, *roles: Role) -> Person:
        """Somebody who is in the team now, and may read it."""
        who = self._joined_by(name, *roles)
        self._may_read(who, *roles)
        return who

    def _joined_by(self, name: str, *roles: Role) -> Person:
        who, steward = self.town.person(name), self.town.steward
        steward.does("addMember", teamId=self.id, memberId=who.id)
        for role in roles:
            steward.does("grantRole", teamId=self.id, memberId=who.id, role=role)
        return who

    def _may_read(self, who: Person, *roles: Role) -> None:
        """This waits until the view of who may read what has heard of the last who joined."""
        held = who.asks("query V($at: Position) { viewer(atLeast: $at) { teams { teamId roles } } }")["teams"]
        assert held == [{"teamId": self.id, "roles": sorted(roles)}]

    # What is done

    def propose(
        self, *, by: Person | None = None, days: int | None = 5, drag: int | None = 10, **case_more: Any
    ) -> str:
        """A proposal with a case, an estimate and an impact, each in its first version."""
        proposal_id = str(uuid4())
        by = by or self.engineer
        by.does("submitProposal", **self.submission(proposalId=proposal_id, businessCase=case(**case_more)))
        if days is not None:
            self.estimate(proposal_id, days, by=by)
        if drag is not None:
            by.does("assessImpact", proposalId=proposal_id, method="MEASURED", confidence=1.0, drag=str(drag))
        return proposal_id

    def submission(self, **more: Any) -> dict[str, Any]:
        """What a submission says."""
        return {"teamId": self.id, "title": "One price engine", "businessCase": case(), **more}

    def estimate(self, proposal_id: str, days: int, *, by: Person | None = None, cause: str | None = None) -> None:
        """The first estimate, or a changed one with its cause."""
        given = estimate(proposal_id, days, days, days)
        (by or self.engineer).does("estimateProposal", **given, cause=cause)

    def scheduled(self, kind: str = "PRODUCT") -> str:
        """A planned review."""
        review_id = str(uuid4())
        by = self.product if kind == "PRODUCT" else self.lead
        by.does("scheduleReview", reviewId=review_id, teamId=self.id, kind=kind, startsAt=now())
        return review_id

    def frozen(self, *proposal_ids: str, kind: str = "PRODUCT") -> str:
        """A review with these on its agenda, and not yet open."""
        review_id = self.scheduled(kind)
        by = self.product if kind == "PRODUCT" else self.lead
        by.does("freezeAgenda", reviewId=review_id, proposalIds=proposal_ids)
        return review_id

    def opened(self, *proposal_ids: str, kind: str = "PRODUCT", capacity: int | None = None) -> str:
        """An open review with these on its agenda."""
        review_id = self.frozen(*proposal_ids, kind=kind)
        by = self.product if kind == "PRODUCT" else self.lead
        left = None if capacity is None else str(capacity)
        by.does("openReview", reviewId=review_id, attendees=[self.product.id, self.lead.id], capacity=left)
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

    def transparency(self) -> dict[str, Any]:
        """How the team answers."""
        return self.engineer.asks(TRANSPARENCY, teams=[self.id])


# What an answer says


def yes(review_id: str, proposal_id: str, **more: Any) -> dict[str, Any]:
    """A YES on the first version of everything."""
    return _answer(review_id, proposal_id, verdict="YES", disposition="SCHEDULE", **more)


def no(review_id: str, proposal_id: str, **more: Any) -> dict[str, Any]:
    """A decline with its reason."""
    given = {"reasons": [REASON], "reconsiderIf": "A whole quarter shows the same loss.", **more}
    return _answer(review_id, proposal_id, verdict="NO", disposition="DECLINE", **given)


def later(review_id: str, proposal_id: str, **more: Any) -> dict[str, Any]:
    """A postponement for a quarter of a year."""
    given = {"reasons": [REASON], "revisit": [{"kind": "DATE", "on": now(days=90)}], **more}
    return _answer(review_id, proposal_id, verdict="NO", disposition="POSTPONE", **given)


def _answer(review_id: str, proposal_id: str, **more: Any) -> dict[str, Any]:
    versions = {"caseVersion": 1, "estimateVersion": 1, "impactVersion": 1}
    return {"decisionId": str(uuid4()), "reviewId": review_id, "proposalId": proposal_id, **versions, **more}


def left_over(review_id: str, proposal_id: str) -> dict[str, Any]:
    """What is said of an item that is left for the next review."""
    return {"reviewId": review_id, "proposalId": proposal_id, "reason": "The release comes first."}


def estimate(proposal_id: str, optimistic: float, likely: float, pessimistic: float) -> dict[str, Any]:
    """What an estimate says."""
    points = {"optimistic": str(optimistic), "likely": str(likely), "pessimistic": str(pessimistic)}
    return {"proposalId": proposal_id, **points, "confidence": 0.8, "basis": "BREAKDOWN"}


def now(*, days: float = 0, hours: float = 0) -> datetime:
    """An instant, so many days and hours from now."""
    return datetime.now(UTC) + timedelta(days=days, hours=hours)


def at(*steps: str) -> Sequence[str]:
    """The path of an input field."""
    return ["input", *steps]
