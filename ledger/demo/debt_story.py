"""What happens to one debt: from its proposal to its work, or to its NO and what follows from that."""

from decimal import Decimal
from functools import partial

from ledger.commands.proposal import (
    AbandonWork,
    AcknowledgeDecision,
    AnswerConcern,
    AssessImpact,
    BusinessCase,
    CommunicateDecision,
    CompleteWork,
    ConfirmPlayback,
    CorrectPlayback,
    DismissAppeal,
    EstimateProposal,
    ExplainDecision,
    LodgeAppeal,
    MeasureBenefit,
    MergeProposal,
    OverruleConcern,
    PlayBackConcern,
    RaiseConcern,
    ReopenProposal,
    ReportRisk,
    ResolveConcern,
    ReviseBusinessCase,
    SplitProposal,
    StartWork,
    SubmitProposal,
    UpholdAppeal,
    WithdrawProposal,
)
from ledger.demo.cast import HEAD_OF_PRODUCT, TEAMS, member, team
from ledger.demo.debts import Appeal, Concern, Debt, Loss, Playback, ReEstimate, Revised
from ledger.demo.teller import Teller, day, name, workday
from ledger.values import (
    Acknowledgement,
    AppealId,
    Benefit,
    Channel,
    ConcernId,
    DecisionId,
    EstimateBasis,
    EstimateCause,
    ImpactMethod,
    ProposalId,
    Reason,
    ReopenCause,
    Risk,
)


def proposal(key: str) -> ProposalId:
    """This will name a debt's proposal."""
    return ProposalId(name("proposal", key))


class DebtStory:
    """One debt's part of the story."""

    def __init__(self, teller: Teller, debt: Debt) -> None:
        self.teller = teller
        self.debt = debt
        self.id = proposal(debt.key)
        self.cast = next(cast for cast in TEAMS if cast.name == debt.team)
        self.answers = list(debt.answers)
        #: The estimate that stands: optimistic, likely, pessimistic.
        self.figures: tuple[Decimal, Decimal, Decimal] | None = None
        self.carried = 0
        self.appealed = False
        self.revised = False
        teller.plan(workday(day(debt.day, 10)), self.submit)

    def submit(self) -> None:
        """This will propose the debt and plan what its team finds out about it."""
        debt = self.debt
        self.teller.tell(
            debt.proposer,
            SubmitProposal(
                self.id,
                team(debt.team),
                debt.title,
                self.case(debt.problem),
                area=debt.area,
                kind=debt.kind,
                critical=debt.critical,
                severity_url="https://tracker.example/severity/412" if debt.critical else None,
            ),
        )
        if debt.critical:
            return
        self.teller.after(self.assess, hours=5)
        self.teller.after(self.estimate, days=1)
        self.foresee()

    def case(self, problem: str) -> BusinessCase:
        """This will put the case together around the problem."""
        debt = self.debt
        return BusinessCase(
            problem=problem,
            benefits_of_fixing=tuple(Benefit(code, text) for code, text in debt.benefits),
            risks_of_ignoring=tuple(Risk(text, chance, loss, weeks) for text, chance, loss, weeks in debt.risks),
            risks_of_fixing=(debt.risk_of_fixing,) if debt.risk_of_fixing else (),
            benefits_of_ignoring=(debt.benefit_of_ignoring,) if debt.benefit_of_ignoring else (),
            no_risks_of_fixing=debt.no_risk_of_fixing,
            no_benefits_of_ignoring=debt.no_benefit_of_ignoring,
        )

    def foresee(self) -> None:
        """This will plan what the story has for this debt alone."""
        debt, teller = self.debt, self.teller
        if (concern := debt.concern) is not None:
            teller.after(partial(self.worry, concern), days=2)
        if (later := debt.re_estimate) is not None:
            teller.after(partial(self.estimate_again, later), days=later.day)
        if (into := debt.merge_into) is not None:
            teller.after(partial(self.merge, into), days=4)
        if (taken_back := debt.withdrawn) is not None:
            withdraw = WithdrawProposal(self.id, taken_back.reason)
            teller.after(partial(teller.tell, debt.proposer, withdraw), days=taken_back.days)
        if (parts := debt.split) is not None:
            split = SplitProposal(self.id, tuple(map(proposal, parts.into)), parts.note)
            teller.after(partial(teller.tell, debt.proposer, split), days=parts.days)
        if (unasked := debt.unasked) is not None:
            teller.after(partial(self.start, unasked.note), days=unasked.days)

    def assess(self) -> None:
        """This will say what the debt costs."""
        debt = self.debt
        method = ImpactMethod.MEASURED if debt.drag and debt.drag >= 8 else ImpactMethod.SURVEYED  # noqa: PLR2004
        confidence = 0.9 if method is ImpactMethod.MEASURED else 0.7
        self.teller.tell(self.cast.lead, AssessImpact(self.id, method, confidence, debt.drag, debt.growth))

    def estimate(self) -> None:
        """This will give the first estimate."""
        if self.debt.estimate is None:
            return
        low, likely, high = self.figures = self.debt.estimate
        basis = EstimateBasis.GUESS if high > 3 * low else EstimateBasis.BREAKDOWN
        self.teller.tell(self.debt.proposer, EstimateProposal(self.id, low, likely, high, 0.6, basis))
        if not (self.debt.re_estimate or self.debt.merge_into) and self.teller.chance.random() < 0.4:  # noqa: PLR2004
            self.teller.after(self.estimate_wider, days=3)

    def estimate_wider(self) -> None:
        """This will raise the pessimistic figure after a look at the code."""
        if self.debt.estimate is None:
            return
        low, likely, high = self.debt.estimate
        self.figures = (low, likely, high + 2)
        wider = EstimateProposal(
            self.id,
            *self.figures,
            0.7,
            EstimateBasis.BREAKDOWN,
            EstimateCause.NEW_INFORMATION,
            "A second look found one more caller.",
        )
        self.teller.tell(self.debt.proposer, wider)

    def estimate_again(self, later: ReEstimate) -> None:
        """This will give the later estimate that the story has."""
        low, likely, high = self.figures = later.estimate
        change = EstimateProposal(self.id, low, likely, high, 0.8, later.basis, later.cause, later.note)
        self.teller.tell(self.debt.proposer, change)

    def worry(self, concern: Concern) -> None:
        """This will raise a colleague's concern, and plan its answer and end."""
        concern_id = ConcernId(name("concern", self.debt.key))
        self.teller.tell(concern.by, RaiseConcern(self.id, concern_id, concern.text, blocking=concern.blocking))
        manager = self.cast.product_manager
        told = self.teller.tell
        if concern.answer is not None:
            self.teller.after(partial(told, manager, AnswerConcern(self.id, concern_id, concern.answer)), days=2)
        if concern.resolved:
            self.teller.after(partial(told, concern.by, ResolveConcern(self.id, concern_id)), days=3)
        if concern.overruled is not None:
            self.teller.after(partial(told, manager, OverruleConcern(self.id, concern_id, concern.overruled)), days=5)

    def merge(self, into: str) -> None:
        """This will let the debt go on as part of another."""
        self.teller.tell(self.cast.lead, MergeProposal(self.id, proposal(into), "Both change the same screen."))

    def accepted(self, decision_id: DecisionId) -> None:
        """This will tell the YES and plan the work."""
        self.teller.after(lambda: self.communicate(decision_id, Channel.PLANNING_MEETING), hours=4)
        if self.debt.actual is not None or self.debt.abandoned is not None:
            self.teller.after(self.start, days=self.teller.chance.randint(3, 9))

    def start(self, note: str | None = None) -> None:
        """This will begin the work; it takes its actual days at half of a person's time."""
        self.teller.tell(self.debt.proposer, StartWork(self.id, note))
        if (given_up := self.debt.abandoned) is not None:
            abandon = AbandonWork(self.id, given_up.reason, given_up.spent)
            self.teller.after(partial(self.teller.tell, self.debt.proposer, abandon), days=given_up.days)
            return
        assert self.debt.actual is not None  # noqa: S101 - planned only with a figure
        self.teller.after(self.complete, days=float(self.debt.actual) * 2)

    def complete(self) -> None:
        """This will end the work and plan the look at what it brought."""
        assert self.debt.actual is not None  # noqa: S101 - planned only with a figure
        self.teller.tell(self.debt.proposer, CompleteWork(self.id, self.debt.actual))
        if self.debt.benefit is not None:
            benefit, realised, promised, unit = self.debt.benefit
            measured = MeasureBenefit(self.id, benefit, 90, realised, unit, ImpactMethod.MEASURED, promised)
            self.teller.after(lambda: self.teller.tell(self.cast.lead, measured), days=90)

    def refused(self, decision_id: DecisionId) -> None:
        """This will tell the NO (late or never, where the story says so) and plan what follows from it."""
        debt = self.debt
        if debt.loss is not None:
            self.teller.after(partial(self.lose, debt.loss), days=debt.loss.days)
        if debt.appeal is not None and not self.appealed:
            appeal = debt.appeal
            self.appealed = True
            self.teller.after(lambda: self.lodge(decision_id, appeal), days=6)
        if (revised := debt.revised) is not None and not self.revised:
            self.revised = True
            self.teller.after(partial(self.ask_again, revised), days=revised.days)
        if debt.untold:
            return
        channel = self.teller.chance.choice((Channel.PLANNING_MEETING, Channel.CHAT, Channel.DOCUMENT))
        self.teller.after(lambda: self.communicate(decision_id, channel), days=12 if debt.told_late else 0, hours=20)

    def communicate(self, decision_id: DecisionId, channel: Channel) -> None:
        """This will tell the decision to the proposer and the lead, and plan the proposer's answer."""
        audience = (member(self.debt.proposer), member(self.cast.lead))
        manager = self.cast.product_manager
        self.teller.tell(manager, CommunicateDecision(self.id, decision_id, channel, audience))
        if self.debt.acknowledge is not None:
            answer = Acknowledgement(self.debt.acknowledge)
        elif self.teller.chance.random() < 0.2:  # noqa: PLR2004
            return  # some never answer
        else:
            answer = self.teller.chance.choice((Acknowledgement.AGREE, Acknowledgement.DISAGREE_BUT_UNDERSTAND))
        self.teller.after(lambda: self.acknowledge(decision_id, answer), days=1)

    def acknowledge(self, decision_id: DecisionId, answer: Acknowledgement) -> None:
        """This will give the proposer's answer, and plan the playback of what was not understood."""
        self.teller.tell(self.debt.proposer, AcknowledgeDecision(self.id, decision_id, answer))
        if answer is Acknowledgement.NOT_UNDERSTOOD and self.debt.playback is not None:
            playback = self.debt.playback
            self.teller.after(lambda: self.play_back(decision_id, playback), days=2)

    def play_back(self, decision_id: DecisionId, playback: Playback) -> None:
        """This will play a misunderstood concern back until its owner says: yes, that."""
        manager, proposer = self.cast.product_manager, self.debt.proposer
        self.teller.tell(manager, PlayBackConcern(self.id, decision_id, playback.text))
        self.teller.tell(proposer, CorrectPlayback(self.id, decision_id, playback.correction))
        self.teller.tell(manager, PlayBackConcern(self.id, decision_id, playback.second))
        self.teller.tell(proposer, ConfirmPlayback(self.id, decision_id))
        better = Reason(
            "BAD_TIMING",
            "Now that we understand what hurts: yes, it costs a day each sprint. We still want the test set first, because "
            "without it nobody could say whether the results got worse.",
            "Until the test set for ranking changes is in use",
        )
        self.teller.tell(manager, ExplainDecision(self.id, decision_id, (better,)))

    def ask_again(self, revised: Revised) -> None:
        """This will come back with a better case and a new estimate."""
        tell, proposer = self.teller.tell, self.debt.proposer
        tell(proposer, ReviseBusinessCase(self.id, self.case(revised.problem), revised.change))
        self.estimate_again(
            ReEstimate(0, revised.estimate, EstimateCause.NEW_INFORMATION, EstimateBasis.BREAKDOWN, revised.note)
        )
        tell(proposer, ReopenProposal(self.id, ReopenCause.CASE_REVISED, revised.change))

    def lodge(self, decision_id: DecisionId, appeal: Appeal) -> None:
        """This will appeal, and plan the hearing by somebody else than the decider."""
        appeal_id = AppealId(name("appeal", self.debt.key))
        self.teller.tell(self.debt.proposer, LodgeAppeal(self.id, appeal_id, decision_id, appeal.grounds, appeal.text))
        hearing = UpholdAppeal if appeal.upheld else DismissAppeal
        heard = hearing(self.id, appeal_id, appeal.reason)
        self.teller.after(lambda: self.teller.tell(HEAD_OF_PRODUCT, heard), days=8)

    def lose(self, loss: Loss) -> None:
        """This will report what the warning was about."""
        report = ReportRisk(self.id, Decimal(loss.hours), loss.incident, loss.text)
        self.teller.tell(self.cast.lead, report)
