"""Anything that a team may ask, in any order, through the served API over a real database, beside a small model of the rules.

Each answer must be one that the model allows, and what is read afterwards must be what the model says.
"""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from ledger.domain.proposal import deciding
from ledger.values import Role
from projections.catalogue import VIEWS
from tests.api.conftest import case
from tests.faults import model
from tests.faults.asking import caught_up
from tests.faults.figures import Figures
from tests.faults.model import AFTER, Appeal, Concern, Decision, Proposal, Refusals, Review
from tests.faults.oracle import examine
from tests.rules.conftest import town
from tests.rules.saying import estimate, impact, later, left_over, no, now, yes
from tests.rules.town import Person, Town

__all__ = ["town"]

QUICK = settings(
    max_examples=6,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    print_blob=False,
)
PICK = st.integers(0, 10**6)
ENGINEERS, MANAGERS = ("ada", "eve"), ("pia", "pol")
SHOWN = """query S($of: UUID!, $at: Position) { whyNot(proposalId: $of, atLeast: $at) {
  proposal { status caseVersion estimateVersion impactVersion }
  concerns { concernId state }
  decisions { decision { decisionId disposition toldAt } appeals { appealId state } } } }"""


class Team(RuleBasedStateMachine):
    """One team of two engineers and two product managers. `town` is set by the test."""

    town: Town

    def __init__(self) -> None:
        super().__init__()
        self.proposals: dict[str, Proposal] = {}
        self.reviews: dict[str, Review] = {}
        self.steps = 0

    @initialize()
    def found(self) -> None:
        made = self.town.team(capacity=1_000)
        self.team = made.id
        self.people: dict[str, Person] = {
            "ada": made.engineer,
            "pia": made.product,
            "eve": made.joined_by("Eve", Role.ENGINEER),
            "pol": made.joined_by("Pol", Role.PRODUCT_MANAGER),
        }
        self.submit("ada", with_estimate=True)
        self.submit("eve", with_estimate=True)
        self.schedule("pia")
        self.freeze(0, "pia")
        self.open(0, "pia")

    def ask(self, by: str, verb: str, refusals: Refusals, **given: Any) -> bool:
        """This will ask, and compare the answer with what the model allows; true: it was done."""
        payload = self.people[by].sends(verb, **given)
        codes = {error["code"] for error in payload["userErrors"]}
        if refusals:
            assert codes, f"{verb} by {by} was done, and one of {refusals} was due: {given}"
            assert codes <= refusals, f"{verb} by {by} was refused as {codes}, and one of {refusals} was due: {given}"
            return False
        assert not codes, f"{verb} by {by} was refused: {payload['userErrors']}: {given}"
        self.town.at = payload["position"]
        self.steps += 1
        return True

    def proposal(self, pick: int) -> Proposal:
        return list(self.proposals.values())[pick % len(self.proposals)]

    def review(self, pick: int) -> Review:
        return list(self.reviews.values())[-1 - pick % min(2, len(self.reviews))]

    def decision(self, pick: int) -> tuple[Proposal, Decision]:
        decided = [proposal for proposal in self.proposals.values() if proposal.decisions]
        proposal = decided[pick % len(decided)]
        return proposal, proposal.decisions[-1 - (pick // 7) % min(2, len(proposal.decisions))]

    def any_decided(self) -> bool:
        return any(proposal.decisions for proposal in self.proposals.values())

    def any_appealed(self) -> bool:
        return any(proposal.appeals for proposal in self.proposals.values())

    def any_concern(self) -> bool:
        return any(proposal.concerns for proposal in self.proposals.values())

    # The proposal

    @precondition(lambda self: len(self.proposals) < 4)
    @rule(by=st.sampled_from(ENGINEERS), with_estimate=st.booleans())
    def submit(self, by: str, with_estimate: bool) -> None:
        proposal = Proposal(str(uuid4()), by)
        given = {"proposalId": proposal.id, "teamId": self.team, "title": "Debt", "businessCase": case()}
        self.ask(by, "submitProposal", set(), **given)
        self.proposals[proposal.id] = proposal
        if with_estimate:
            number = len(self.proposals) - 1
            self.estimate(number, by)
            self.assess(number, by)

    @rule(pick=PICK, by=st.sampled_from(ENGINEERS))
    def estimate(self, pick: int, by: str) -> None:
        proposal = self.proposal(pick)
        cause = {"cause": "SCOPE"} if proposal.estimate else {}
        if self.ask(by, "estimateProposal", model.living(proposal), **estimate(proposal.id, 2, 3, 5), **cause):
            proposal.estimate += 1

    @rule(pick=PICK, by=st.sampled_from(ENGINEERS))
    def assess(self, pick: int, by: str) -> None:
        proposal = self.proposal(pick)
        if self.ask(by, "assessImpact", model.living(proposal), **impact(proposal.id, 8)):
            proposal.impact += 1

    @rule(pick=PICK, by=st.sampled_from(ENGINEERS))
    def revise(self, pick: int, by: str) -> None:
        proposal = self.proposal(pick)
        given = {"proposalId": proposal.id, "businessCase": case(), "changeNote": "Clearer."}
        if self.ask(by, "reviseBusinessCase", model.living(proposal), **given):
            proposal.case += 1

    @rule(pick=PICK, by=st.sampled_from(ENGINEERS))
    def withdraw(self, pick: int, by: str) -> None:
        proposal = self.proposal(pick)
        if self.ask(by, "withdrawProposal", model.withdrawn(proposal, by), proposalId=proposal.id):
            proposal.status = "WITHDRAWN"

    @rule(pick=PICK, by=st.sampled_from(ENGINEERS + MANAGERS))
    def reopen(self, pick: int, by: str) -> None:
        proposal = self.proposal(pick)
        if self.ask(by, "reopenProposal", model.reopened(proposal), proposalId=proposal.id, because="REPROPOSED"):
            proposal.status = "PENDING"

    # Concerns

    @rule(pick=PICK, by=st.sampled_from(ENGINEERS), blocking=st.booleans())
    def worry(self, pick: int, by: str, blocking: bool) -> None:
        proposal, concern = self.proposal(pick), str(uuid4())
        given = {"proposalId": proposal.id, "concernId": concern, "text": "A worry.", "blocking": blocking}
        if self.ask(by, "raiseConcern", model.living(proposal), **given):
            proposal.concerns[concern] = Concern(by, blocking)

    @precondition(any_concern)
    @rule(pick=PICK, by=st.sampled_from(ENGINEERS + MANAGERS[:1]))
    def settle(self, pick: int, by: str) -> None:
        every = [(p, i) for p in self.proposals.values() for i in p.concerns]
        proposal, concern_id = every[pick % len(every)]
        concern, given = proposal.concerns[concern_id], {"proposalId": proposal.id, "concernId": concern_id}
        if by in MANAGERS:
            done = self.ask(by, "overruleConcern", model.overruled(concern), **given, reason="It is small.")
        else:
            done = self.ask(by, "resolveConcern", model.resolved(concern, by), **given)
        concern.is_open = concern.is_open and not done

    # The review

    @precondition(lambda self: all(r.phase in ("CLOSED", "SKIPPED") for r in self.reviews.values()))
    @rule(by=st.sampled_from(MANAGERS))
    def schedule(self, by: str) -> None:
        review = Review(str(uuid4()))
        given = {"reviewId": review.id, "teamId": self.team, "kind": "PRODUCT", "startsAt": now()}
        self.ask(by, "scheduleReview", set(), **given)
        self.reviews[review.id] = review

    @rule(pick=PICK, by=st.sampled_from(MANAGERS))
    def freeze(self, pick: int, by: str) -> None:
        review = self.review(pick)
        refusals = set() if review.phase == "SCHEDULED" else {"WRONG_STATE"}
        if self.ask(by, "freezeAgenda", refusals, reviewId=review.id):
            review.phase = "FROZEN"
            review.items = {i: None for i, proposal in self.proposals.items() if proposal.status == "PENDING"}

    @rule(pick=PICK, by=st.sampled_from(MANAGERS))
    def open(self, pick: int, by: str) -> None:
        review = self.review(pick)
        refusals = set() if review.phase == "FROZEN" else {"WRONG_STATE"}
        if self.ask(by, "openReview", refusals, reviewId=review.id, attendees=[self.people[by].id]):
            review.phase = "OPEN"

    @rule(pick=PICK, by=st.sampled_from(MANAGERS))
    def close(self, pick: int, by: str) -> None:
        review = self.review(pick)
        if self.ask(by, "closeReview", model.closed(review, self.proposals), reviewId=review.id):
            review.phase = "CLOSED"

    @rule(pick=PICK, where=PICK, by=st.sampled_from(MANAGERS))
    def carry_over(self, pick: int, where: int, by: str) -> None:
        proposal, review = self.proposal(pick), self.review(where)
        if self.ask(by, "carryOverItem", model.carried_over(proposal, review), **left_over(review.id, proposal.id)):
            review.items[proposal.id] = "carried"
            proposal.carried += 1

    @rule(
        pick=PICK,
        where=PICK,
        by=st.sampled_from(MANAGERS),
        answer=st.sampled_from(["SCHEDULE", "DECLINE", "FINAL", "POSTPONE"]),
        stale=st.sampled_from([False, False, False, True]),
    )
    def decide(self, pick: int, where: int, by: str, answer: str, stale: bool) -> None:
        proposal, review = self.proposal(pick), self.review(where)
        disposition, final = ("DECLINE", True) if answer == "FINAL" else (answer, False)
        versions = (proposal.case - stale, proposal.estimate, proposal.impact)
        given = {"SCHEDULE": yes, "DECLINE": no, "POSTPONE": later}[disposition](review.id, proposal.id)
        given |= dict(zip(("caseVersion", "estimateVersion", "impactVersion"), versions, strict=True))
        if final:
            given |= {"reconsiderIf": None, "final": True}
        if self.ask(by, "takeDecision", model.decided(proposal, review, versions, disposition), **given):
            decision = Decision(given["decisionId"], by, disposition, proposal.case, final)
            proposal.decisions.append(decision)
            proposal.status, proposal.carried = AFTER[disposition], 0
            review.items[proposal.id] = "decided"

    # The answer

    @precondition(any_decided)
    @rule(pick=PICK, by=st.sampled_from(MANAGERS), to=st.sampled_from(ENGINEERS))
    def tell(self, pick: int, by: str, to: str) -> None:
        proposal, decision = self.decision(pick)
        given = {"proposalId": proposal.id, "decisionId": decision.id, "channel": "CHAT"}
        self.ask(by, "communicateDecision", set(), **given, audience=[self.people[to].id])
        decision.told.add(to)

    @precondition(any_decided)
    @rule(pick=PICK, by=st.sampled_from(ENGINEERS), understood=st.booleans())
    def acknowledge(self, pick: int, by: str, understood: bool) -> None:
        proposal, decision = self.decision(pick)
        answer = "DISAGREE_BUT_UNDERSTAND" if understood else "NOT_UNDERSTOOD"
        given = {"proposalId": proposal.id, "decisionId": decision.id, "answer": answer}
        if self.ask(by, "acknowledgeDecision", model.acknowledged(proposal, decision, by), **given):
            decision.playback = decision.playback if understood else "ASKED"

    @precondition(any_decided)
    @rule(pick=PICK, by=st.sampled_from(MANAGERS))
    def play_back(self, pick: int, by: str) -> None:
        proposal, decision = self.decision(pick)
        given = {"proposalId": proposal.id, "decisionId": decision.id, "text": "You mean that it is slow."}
        if self.ask(by, "playBackConcern", model.played_back(decision, by), **given):
            decision.playback = "BACK"

    @precondition(any_decided)
    @rule(pick=PICK, by=st.sampled_from(ENGINEERS), right=st.booleans())
    def answer_playback(self, pick: int, by: str, right: bool) -> None:
        proposal, decision = self.decision(pick)
        given = {"proposalId": proposal.id, "decisionId": decision.id}
        verb, more = ("confirmPlayback", {}) if right else ("correctPlayback", {"text": "It is wrong."})
        if self.ask(by, verb, model.confirmed(proposal, decision, by), **given, **more):
            decision.playback = "CLEARED" if right else "ASKED"

    @precondition(any_decided)
    @rule(pick=PICK, by=st.sampled_from(ENGINEERS))
    def appeal(self, pick: int, by: str) -> None:
        proposal, decision = self.decision(pick)
        appeal_id = str(uuid4())
        given = {"proposalId": proposal.id, "appealId": appeal_id, "decisionId": decision.id}
        more = {"grounds": "NEW_INFORMATION", "text": "It broke again."}
        if self.ask(by, "lodgeAppeal", model.appealed(proposal, decision), **given, **more):
            proposal.appeals[appeal_id] = Appeal(decision, by)

    @precondition(any_appealed)
    @rule(pick=PICK, by=st.sampled_from(MANAGERS), right=st.booleans())
    def hear(self, pick: int, by: str, right: bool) -> None:
        every = [(p, i) for p in self.proposals.values() for i in p.appeals]
        proposal, appeal_id = every[pick % len(every)]
        appeal = proposal.appeals[appeal_id]
        given = {"proposalId": proposal.id, "appealId": appeal_id, "reason": "So it is."}
        if not self.ask(by, "upholdAppeal" if right else "dismissAppeal", model.heard(appeal, by), **given):
            return
        appeal.state = "UPHELD" if right else "DISMISSED"
        if right and appeal.decision is proposal.last and proposal.status in model.ANSWERED:
            proposal.status = "PENDING"

    @precondition(any_decided)
    @rule(pick=PICK, by=st.sampled_from(MANAGERS))
    def waive(self, pick: int, by: str) -> None:
        proposal, decision = self.decision(pick)
        given = {"proposalId": proposal.id, "decisionId": decision.id, "reason": "It never will."}
        if self.ask(by, "waiveRevisit", model.waived(proposal, decision), **given):
            decision.waived = True

    def teardown(self) -> None:
        """What is read at the end is what the model says."""
        for proposal in self.proposals.values():
            shown = self.people["ada"].asks(SHOWN, of=proposal.id)
            found = shown["proposal"]
            versions = (found["caseVersion"], found["estimateVersion"] or 0, found["impactVersion"] or 0)
            assert (found["status"], versions) == (proposal.status, proposal.versions)
            is_open = {one["concernId"]: one["state"] in ("OPEN", "ANSWERED") for one in shown["concerns"]}
            assert is_open == {i: concern.is_open for i, concern in proposal.concerns.items()}
            told = {
                (one["decision"]["decisionId"], one["decision"]["disposition"], one["decision"]["toldAt"] is not None)
                for one in shown["decisions"]
            }
            assert told == {(d.id, d.disposition, proposal.proposer in d.told) for d in proposal.decisions}
            appeals = {one["appealId"]: one["state"] for each in shown["decisions"] for one in each["appeals"]}
            assert appeals == {i: appeal.state for i, appeal in proposal.appeals.items()}


def run(town: Town, how: settings) -> None:
    """This will run the machine in a town."""
    run_state_machine_as_test(type("Team", (Team,), {"town": town}), settings=how)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(QUICK, id="a few"),
        pytest.param(settings(QUICK, max_examples=30, stateful_step_count=50), id="many", marks=pytest.mark.faults),
    ],
)
def test_every_answer_is_one_that_the_model_allows(town: Town, figures: Figures, how: settings) -> None:
    before = town.ledger.head()
    run(town, how)
    caught_up(town.api)
    found = examine(town.database_url, views=VIEWS)
    figures.survived(
        f"any order of commands, beside a model ({how.max_examples} × {how.stateful_step_count} steps)",
        found,
        more=f"{town.ledger.head() - before} facts",
    )


def let_through(*_: Any, **__: Any) -> None:
    """A rule that nobody looks at."""


PLANTED = {
    "a decision over an open blocking concern": (deciding, "check_concerns", lambda _: let_through),
    "a decision on versions that have moved on": (deciding, "check_basis", lambda _: let_through),
}


@pytest.mark.faults
@pytest.mark.parametrize("mutation", PLANTED)
def test_the_model_sees(town: Town, figures: Figures, monkeypatch: pytest.MonkeyPatch, mutation: str) -> None:
    module, name, plant = PLANTED[mutation]
    monkeypatch.setattr(module, name, plant(getattr(module, name)))
    # It ends with the first that sees it; so many that chance does not miss it.
    how = settings(QUICK, max_examples=200, stateful_step_count=50, phases=[Phase.generate], verbosity=Verbosity.quiet)
    with pytest.raises(AssertionError) as seen:
        run(town, how)
    # What is read at the end is wrong too, and told last.
    error: BaseException | None = seen.value
    while error is not None and "was done, and one of" not in str(error):
        error = error.__context__
    assert error is not None, seen.value
    figures.seen_by_model(mutation, str(error).splitlines()[0])
