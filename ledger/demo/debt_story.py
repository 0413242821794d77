"""What happens to one debt: from its proposal to its work, or to its NO and what follows from that."""

from decimal import Decimal

from ledger.commands.proposal import (
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
    PlayBackConcern,
    RaiseConcern,
    ReportRisk,
    ResolveConcern,
    StartWork,
    SubmitProposal,
    UpholdAppeal,
)
from ledger.demo.cast import HEAD_OF_PRODUCT, TEAMS, member, team
from ledger.demo.debts import Appeal, Concern, Debt, Loss, Playback, ReEstimate
from ledger.demo.teller import Teller, day, name
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
    Risk,
)


def proposal(key: str) -> ProposalId:
    """This will name a debt's proposal."""
    return ProposalId(name("proposal", key))


class DebtStory:
    """One debt's part of the story. `version` counts what the review looks at, as the domain does."""

    def __init__(self, teller: Teller, debt: Debt) -> None:
        self.teller = teller
        self.debt = debt
        self.id = proposal(debt.key)
        self.cast = next(cast for cast in TEAMS if cast.name == debt.team)
        self.answers = list(debt.answers)
        self.estimate_versions = 0
        self.carried = 0
        self.appealed = False
        teller.plan(day(debt.day, 10), self.submit)

    def submit(self) -> None:
        """This will propose the debt and plan what its team finds out about it."""
        debt = self.debt
        case = BusinessCase(
            problem=debt.problem,
            benefits_of_fixing=tuple(Benefit(code, text) for code, text in debt.benefits),
            risks_of_ignoring=tuple(Risk(text, chance, loss, weeks) for text, chance, loss, weeks in debt.risks),
            risks_of_fixing=(debt.risk_of_fixing,) if debt.risk_of_fixing else (),
            benefits_of_ignoring=(debt.benefit_of_ignoring,) if debt.benefit_of_ignoring else (),
            no_risks_of_fixing=debt.no_risk_of_fixing,
            no_benefits_of_ignoring=debt.no_benefit_of_ignoring,
        )
        self.teller.tell(
            debt.proposer,
            SubmitProposal(
                self.id,
                team(debt.team),
                debt.title,
                case,
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
        if debt.concern is not None:
            concern = debt.concern
            self.teller.after(lambda: self.worry(concern), days=2)
        if debt.re_estimate is not None:
            later = debt.re_estimate
            self.teller.after(lambda: self.estimate_again(later), days=later.day)
        if debt.merge_into is not None:
            into = debt.merge_into
            self.teller.after(lambda: self.merge(into), days=4)

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
        low, likely, high = self.debt.estimate
        basis = EstimateBasis.GUESS if high > 3 * low else EstimateBasis.BREAKDOWN
        self.teller.tell(self.debt.proposer, EstimateProposal(self.id, low, likely, high, 0.6, basis))
        self.estimate_versions = 1
        if not (self.debt.re_estimate or self.debt.merge_into) and self.teller.chance.random() < 0.4:  # noqa: PLR2004
            self.teller.after(self.estimate_wider, days=3)

    def estimate_wider(self) -> None:
        """This will raise the pessimistic figure after a look at the code."""
        if self.debt.estimate is None:
            return
        low, likely, high = self.debt.estimate
        wider = EstimateProposal(
            self.id,
            low,
            likely,
            high + 2,
            0.7,
            EstimateBasis.BREAKDOWN,
            EstimateCause.NEW_INFORMATION,
            "A second look found one more caller.",
        )
        self.teller.tell(self.debt.proposer, wider)
        self.estimate_versions += 1

    def estimate_again(self, later: ReEstimate) -> None:
        """This will give the later estimate that the story has."""
        low, likely, high = later.estimate
        change = EstimateProposal(self.id, low, likely, high, 0.8, later.basis, later.cause, later.note)
        self.teller.tell(self.debt.proposer, change)
        self.estimate_versions += 1

    def worry(self, concern: Concern) -> None:
        """This will raise a colleague's concern, and plan its answer and end."""
        concern_id = ConcernId(name("concern", self.debt.key))
        self.teller.tell(concern.by, RaiseConcern(self.id, concern_id, concern.text, blocking=concern.blocking))
        manager = self.cast.product_manager
        self.teller.after(lambda: self.teller.tell(manager, AnswerConcern(self.id, concern_id, concern.answer)), days=2)
        if concern.resolved:
            self.teller.after(lambda: self.teller.tell(concern.by, ResolveConcern(self.id, concern_id)), days=3)

    def merge(self, into: str) -> None:
        """This will let the debt go on as part of another."""
        self.teller.tell(self.cast.lead, MergeProposal(self.id, proposal(into), "Both change the same screen."))

    def accepted(self, decision_id: DecisionId) -> None:
        """This will tell the YES and plan the work."""
        self.teller.after(lambda: self.communicate(decision_id, Channel.PLANNING_MEETING), hours=4)
        if self.debt.actual is not None:
            self.teller.after(self.start, days=self.teller.chance.randint(3, 9))

    def start(self) -> None:
        """This will begin the work; it takes its actual days at half of a person's time."""
        self.teller.tell(self.debt.proposer, StartWork(self.id))
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
            loss = debt.loss
            self.teller.after(lambda: self.lose(loss), days=loss.day - 60 if loss.day > 60 else 30)  # noqa: PLR2004
        if debt.appeal is not None and not self.appealed:
            appeal = debt.appeal
            self.appealed = True
            self.teller.after(lambda: self.lodge(decision_id, appeal), days=6)
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
