"""Synthetic histories, seeded: teams that propose, estimate, review, decide, tell and work, at any size, written straight into the log."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from random import Random
from struct import Struct as Packing
from uuid import UUID

import psycopg
from msgspec import Struct

from ledger.events.envelope import Event, event_id
from ledger.events.policy import PolicyActivated, PolicyDefined
from ledger.events.proposal import (
    BusinessCaseRevised,
    ConcernAnswered,
    ConcernRaised,
    CriticalityScreened,
    DecisionAcknowledged,
    DecisionCommunicated,
    DecisionTaken,
    EstimateChanged,
    EstimateGiven,
    ImpactAssessed,
    ProposalSubmitted,
    WorkCompleted,
    WorkStarted,
)
from ledger.events.review import AgendaFrozen, ItemDecided, ReviewClosed, ReviewOpened, ReviewScheduled
from ledger.events.team import CapacitySet, MemberJoined, RoleGranted, TeamFormed
from ledger.ranking import Formula
from ledger.store.codec import encode, leaf
from ledger.values import (
    Acknowledgement,
    Actor,
    AgendaCause,
    AgendaItem,
    Basis,
    Benefit,
    BenefitCode,
    Channel,
    ConcernId,
    DecisionId,
    Disposition,
    EstimateBasis,
    ImpactMethod,
    MemberId,
    MomentumLevel,
    PolicyId,
    PolicyMethod,
    ProposalId,
    Reason,
    ReviewId,
    ReviewKind,
    RevisitCondition,
    RevisitKind,
    Risk,
    Role,
    TeamId,
    Verdict,
)

START = datetime(2020, 1, 6, 9, tzinfo=UTC)
AREAS = tuple(
    f"component:default/{name}" for name in ("checkout", "search", "billing", "login", "catalogue", "reports")
)
KINDS = ("code", "tests", "build", "infrastructure", "documentation")
REASONS = ("OPPORTUNITY_COST", "COST_EXCEEDS_BENEFIT", "NO_COMPELLING_CASE", "BAD_TIMING", "DUPLICATE")
ITEMS_A_REVIEW = 12

#: One command: the fact and its stream, each.
Command = list[tuple[UUID, Struct]]


class Ready(Struct, frozen=True):
    """A proposal that waits for a review, with the versions of its case, estimate and impact."""

    proposal: ProposalId
    proposer: Actor
    versions: tuple[int, int, int]
    likely: Decimal


class Team(Struct):
    """A team of the history, and what its next review looks at."""

    id: TeamId
    members: list[Actor]
    manager: Actor
    ready: list[Ready]


class History:
    """A seeded history. The same seed gives the same facts; Without `decisions` all stay pending; `together`: so many go on at once."""

    def __init__(self, seed: int = 1, *, teams: int = 20, decisions: bool = True, together: int = 400) -> None:
        self._random = Random(seed)
        self._teams = teams
        self._decisions = decisions
        self._together = together
        self._versions: dict[UUID, int] = {}
        self._at = START
        self.policy = PolicyId(self._id())

    def events(self, facts: int | None = None, proposals: int | None = None) -> Iterator[Event]:
        """This will give whole commands until there are so many facts, or so many proposals; positions count from 1."""
        position = submitted = 0
        for actor, command in self._commands():
            submitted += isinstance(command[0][1], ProposalSubmitted)
            command_id = self._id()
            self._at += timedelta(seconds=self._random.randrange(1, 90))
            for index, (stream, fact) in enumerate(command):
                position += 1
                version = self._versions[stream] = self._versions.get(stream, 0) + 1
                yield Event(
                    event_id(command_id, index),
                    stream,
                    version,
                    self._at,
                    actor,
                    command_id,
                    command_id,
                    fact,
                    position=position,
                    recorded_at=self._at,
                )
            if (facts is not None and position >= facts) or (proposals is not None and submitted >= proposals):
                return

    def _id(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    def _commands(self) -> Iterator[tuple[Actor, Command]]:
        teams = []
        for number in range(self._teams):
            members = [Actor(MemberId(self._id()), Role.ENGINEER) for _ in range(8)]
            team = Team(TeamId(self._id()), members, Actor(MemberId(self._id()), Role.PRODUCT_MANAGER), [])
            teams.append(team)
            formed: Command = [(team.id, TeamFormed(f"Team {number + 1}", weekly_hours=Decimal(320)))]
            for actor in [*members, team.manager]:
                formed += [
                    (team.id, MemberJoined(actor.member_id)),
                    (team.id, RoleGranted(actor.member_id, actor.role)),
                ]
            yield team.manager, [*formed, (team.id, CapacitySet(Decimal(40)))]
        yield teams[0].manager, [(self.policy, PolicyDefined("Cost of delay", Formula(PolicyMethod.CD3)))]
        for team in teams:
            yield team.manager, [(self.policy, PolicyActivated(team.id, self._at))]
        lives: list[Iterator[tuple[Actor, Command]]] = []
        while True:
            if len(lives) < self._together or self._random.random() < 0.4:
                lives.append(self._life(self._random.choice(teams)))
            turn = self._random.randrange(len(lives))
            step = next(lives[turn], None)
            if step is None:
                lives[turn] = lives[-1]
                lives.pop()
            else:
                yield step

    def _life(self, team: Team) -> Iterator[tuple[Actor, Command]]:
        pick, random = self._random, self._random.random
        proposal, proposer = ProposalId(self._id()), pick.choice(team.members)
        area = pick.choice(AREAS)
        likely = Decimal(pick.randrange(2, 80)) / 4
        drag = Decimal(pick.randrange(0, 160)) / 4
        yield (
            proposer,
            [
                (
                    proposal,
                    ProposalSubmitted(
                        team.id,
                        f"Pay the debt {pick.randrange(10**6)} in {area[18:]}",
                        proposer.member_id,
                        area,
                        pick.choice(KINDS),
                    ),
                ),
                (proposal, CriticalityScreened(False)),
                (proposal, _case(1, area)),
                (
                    proposal,
                    EstimateGiven(1, likely / 2, likely, likely * 2, basis=EstimateBasis.ANALOGY, confidence=0.6),
                ),
                (proposal, _impact(1, drag)),
            ],
        )
        estimates, impacts, cases = 1, 1, 1
        while random() < 0.55:
            choice = pick.randrange(4)
            if choice == 0:
                estimates, likely = estimates + 1, likely + Decimal("0.5")
                yield (
                    proposer,
                    [
                        (
                            proposal,
                            EstimateChanged(estimates, likely / 2, likely, likely * 2, basis=EstimateBasis.BREAKDOWN),
                        )
                    ],
                )
            elif choice == 1:
                impacts += 1
                yield proposer, [(proposal, _impact(impacts, drag + impacts))]
            elif choice == 2:
                cases += 1
                yield proposer, [(proposal, _case(cases, area))]
            else:
                concern = ConcernId(self._id())
                yield (
                    pick.choice(team.members),
                    [(proposal, ConcernRaised(concern, team.members[0].member_id, "Is the test net dense enough?"))],
                )
                yield proposer, [(proposal, ConcernAnswered(concern, proposer.member_id, "Coverage is 84 % there."))]
        if not self._decisions:
            return
        team.ready.append(Ready(proposal, proposer, (cases, estimates, impacts), likely))
        if len(team.ready) >= ITEMS_A_REVIEW:
            items, team.ready = team.ready, []
            yield from self._review(team, items)

    def _review(self, team: Team, items: list[Ready]) -> Iterator[tuple[Actor, Command]]:
        review = ReviewId(self._id())
        agenda = tuple(
            AgendaItem(item.proposal, AgendaCause.NEW, *item.versions, score=1.5, rank=rank)
            for rank, item in enumerate(items, 1)
        )
        yield team.manager, [(review, ReviewScheduled(team.id, ReviewKind.PRODUCT, self._at))]
        yield team.manager, [(review, AgendaFrozen(agenda, self.policy, 1))]
        yield team.manager, [(review, ReviewOpened(1, Decimal(40), (team.manager.member_id,), self.policy, 1))]
        for rank, item in enumerate(items, 1):
            yield from self._decision(team, review, item, rank)
        yield team.manager, [(review, ReviewClosed())]

    def _decision(self, team: Team, review: ReviewId, item: Ready, rank: int) -> Iterator[tuple[Actor, Command]]:
        proposal, proposer, likely = item.proposal, item.proposer, item.likely
        decision, draw = DecisionId(self._id()), self._random.random()
        yes = draw < 0.45
        disposition = Disposition.SCHEDULE if yes else Disposition.DECLINE if draw < 0.85 else Disposition.POSTPONE
        code = self._random.choice(REASONS)
        taken = DecisionTaken(
            decision,
            Verdict.YES if yes else Verdict.NO,
            disposition,
            review,
            Basis(*item.versions, policy_id=self.policy, policy_version=1),
            score=1.5,
            rank=rank,
            cut_score=0.7,
            capacity_left=Decimal(12),
            days_reserved=likely if yes else None,
            reasons=() if yes else (Reason(code, "Other work moves the roadmap further this quarter."),),
            revisit=(RevisitCondition(RevisitKind.DATE, on=self._at + timedelta(days=90)),)
            if disposition is Disposition.POSTPONE
            else (),
            reconsider_if="drag doubles" if disposition is Disposition.DECLINE else None,
            decider=team.manager.member_id,
        )
        decided = ItemDecided(proposal, decision, taken.verdict, likely if yes else Decimal(0))
        yield team.manager, [(proposal, taken), (review, decided)]
        if yes or self._random.random() < 0.8:
            told = DecisionCommunicated(decision, Channel.PLANNING_MEETING, (proposer.member_id,))
            yield team.manager, [(proposal, told)]
            if not yes:
                answer = Acknowledgement.DISAGREE_BUT_UNDERSTAND
                yield proposer, [(proposal, DecisionAcknowledged(decision, proposer.member_id, answer))]
        if yes:
            yield proposer, [(proposal, WorkStarted())]
            yield proposer, [(proposal, WorkCompleted(likely + 1))]


def _case(version: int, area: str) -> BusinessCaseRevised:
    return BusinessCaseRevised(
        version,
        f"Each change in {area} needs edits in four places, and one of them is forgotten every other time.",
        (
            Benefit(BenefitCode.EASES_CHANGE, "one place to change"),
            Benefit(BenefitCode.REDUCES_INCIDENTS, "fewer slips"),
        ),
        ("a week without features",),
        (),
        (Risk("another lost weekend", 0.3, Decimal(40), 26),),
        no_benefits_of_ignoring="none: the area is changed weekly",
    )


def _impact(version: int, drag: Decimal) -> ImpactAssessed:
    return ImpactAssessed(
        version, MomentumLevel(f"M{min(int(drag // 8), 5)}"), ImpactMethod.MEASURED, 0.8, drag, Decimal("1.5")
    )


_COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_length = Packing("!i").pack
_long = Packing("!iq").pack
_int = Packing("!ii").pack
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def write(url: str, events: Iterable[Event]) -> int:
    """This will copy the events into an empty log as a superuser, as `ledger.append()` would store them; gives the last position."""
    position, last, commands = 0, START, []
    with psycopg.connect(url) as connection:
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY ledger.events (position, stream_id, version, topic, recorded_at, occurred_at, command_id, salt, meta, payload, leaf) "
                "FROM STDIN (FORMAT binary)"
            ) as target,
        ):
            target.write(_COPY_HEADER)
            for event in events:
                encoded = encode(event)
                position, last = event.position, event.occurred_at
                stamp = _long(8, (last - _EPOCH) // timedelta(microseconds=1))
                fields = (
                    event.stream_id.bytes,
                    encoded.topic.encode(),
                    event.command_id.bytes,
                    encoded.salt,
                    encoded.meta,
                )
                stream, topic, command, salt, meta = (_length(len(field)) + field for field in fields)
                payload = _length(len(encoded.payload)) + encoded.payload
                root = _length(32) + leaf(position, last, encoded.meta)
                target.write(
                    b"\x00\x0b" + _long(8, position) + stream + _int(4, event.version) + topic + stamp + stamp
                    + command + salt + meta + payload + root
                )  # fmt: skip
                if commands and commands[-1][0] == event.command_id:
                    commands[-1][3] += 1
                else:
                    commands.append([event.command_id, sha256(event.command_id.bytes).digest(), position, 1])
            target.write(b"\xff\xff")
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY ledger.commands (command_id, request_hash, first_position, event_count) FROM STDIN"
            ) as target,
        ):
            for row in commands:
                target.write_row(row)
        connection.execute("UPDATE ledger.head SET position = %s, recorded_at = %s", [position, last])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (FREEZE, ANALYZE) ledger.events")
    return position
