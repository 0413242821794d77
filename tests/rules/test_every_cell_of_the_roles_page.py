"""Every cell of docs/roles.md, tried at the served API: each mutation and each field by each role, by nobody's, and by another team's.

One server, one team with a story, and whoever may or may not; what is expected comes from the tables that the page is made from.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import msgspec
import pytest
from msgspec import Struct
from strawberry.utils.str_converters import to_camel_case

from ledger.api.mutations import NEW
from ledger.api.node import global_id
from ledger.api.reading import CHANGING, READING, Reading
from ledger.api.schema import NODES, build, root_fields
from ledger.directory import identities
from ledger.directory.identities import Identity
from ledger.domain.authority import ALONE, PERMISSIONS, Own, permitted
from ledger.domain.rejected import Code
from ledger.values import GLOBAL_ROLES, TEAM_ROLES, MemberId, ReviewKind, Role
from tests.handlers.test_authorising import sound
from tests.rules.saying import estimate, impact, later, no, yes
from tests.rules.town import Person, Refusal, Team, Town

#: How many mutations go into one request.
AT_ONCE = 20
AREA = "component:default/apricot"
REVIEWS = frozenset(command for command, permission in PERMISSIONS.items() if permission.of_its_kind)


class Actor(NamedTuple):
    """Somebody, with the roles that count in the team: its own and those across teams."""

    what: str
    who: Person
    held: frozenset[Role]


class Story(NamedTuple):
    """A team with something of every kind in it, who is concerned, and the ids of things."""

    team: Team
    actors: Sequence[Actor]
    #: Whose own thing it is: they have left the team, so that they may what is theirs and nothing else.
    owners: dict[Own, Person]
    proposal: str
    declined: str
    review: dict[ReviewKind, str]
    #: The review that was opened.
    held: str
    decision: str
    concern: str
    appeal: str
    simulations: tuple[str, str] | None


def someone(town: Town, role: Role, team: Team) -> Person:
    """Somebody with one role and no other."""
    return town.person(role, role) if role in GLOBAL_ROLES else team.joined_by(role, role)


@pytest.fixture(scope="module")
def story(town: Town) -> Story:
    team, elsewhere = town.team("Apricot"), town.team("Elsewhere")
    identities.link(town.directory, Identity("https://id.example", "00u-apricot", MemberId(UUID(team.engineer.id))))
    actors = [Actor(role, someone(town, role, team), frozenset({role})) for role in Role]
    actors.append(Actor("no role", town.person("Nemo"), frozenset()))
    actors += [
        Actor(f"{role} of another team", someone(town, role, elsewhere), frozenset())
        for role in Role
        if role in TEAM_ROLES
    ]
    asker, raiser = (team.joined_by(name, Role.ENGINEER) for name in ("Asker", "Raiser"))
    decider = team.joined_by("Decider", Role.PRODUCT_MANAGER)
    ids = told(team, asker, raiser, decider)
    owners = {Own.PROPOSER: asker, Own.RAISER: raiser, Own.DECIDER: decider}
    simulations = None
    if "simulate" in mutations():
        requester = owners[Own["REQUESTER"]] = team.joined_by("Requester", Role.ENGINEERING_LEAD)
        simulations = (str(uuid4()), str(uuid4()))
        for each in simulations:
            requester.does("simulate", simulationId=each, **simulated(team.id))
    for gone in owners.values():
        town.steward.does("removeMember", teamId=team.id, memberId=gone.id)
    return Story(team, actors, owners, simulations=simulations, **ids)


def told(team: Team, asker: Person, raiser: Person, decider: Person) -> dict[str, Any]:
    """Something of every kind, so that there is something to see in each field."""
    pending, concern, appeal = (str(uuid4()) for _ in range(3))
    asker.does_all(
        ("submitProposal", team.submission(proposalId=pending, title="Apricot", area=AREA)),
        ("estimateProposal", estimate(pending, 5, 5, 5)),
        ("assessImpact", impact(pending, 10)),
        ("addDependency", {"proposalId": pending, "needs": team.propose()}),
    )
    raiser.does("raiseConcern", concernId=concern, proposalId=pending, text="Why now?", blocking=False)
    declined, postponed, accepted = team.propose(by=asker), team.propose(), team.propose()
    held = team.opened(declined, postponed, accepted)
    decision = team.decide(no(held, declined), by=decider)
    team.decide(later(held, postponed), by=decider)
    team.decide(yes(held, accepted), by=decider)
    team.engineer.does_all(
        ("startWork", {"proposalId": accepted}),
        ("completeWork", {"proposalId": accepted, "actualDays": "4"}),
        ("reportRisk", {"proposalId": declined, "lossHours": "7"}),
    )
    team.tell(declined, decision, asker)
    about = {"proposalId": declined, "decisionId": decision}
    asker.does("acknowledgeDecision", **about, answer="NOT_UNDERSTOOD")
    asker.does(
        "lodgeAppeal", **about, appealId=appeal, grounds="PROCEDURE", text="It was not on the agenda sent round."
    )
    kinds = {ReviewKind.PRODUCT: team.frozen(pending), ReviewKind.ENGINEERING: team.scheduled("ENGINEERING")}
    return {
        "proposal": pending,
        "declined": declined,
        "review": kinds,
        "held": held,
        "decision": decision,
        "concern": concern,
        "appeal": appeal,
    }


def simulated(team_id: str) -> dict[str, Any]:
    """The smallest simulation."""
    return {"teamIds": [team_id], "scenario": {"policies": [{"method": "FIFO"}]}}


def mutations() -> dict[str, type[Struct]]:
    """Every mutation of the schema with its command."""
    return {name_of(command): command for command in PERMISSIONS}


def name_of(command: type[Struct]) -> str:
    return command.__name__[0].lower() + command.__name__[1:]


def given(command: type[Struct], story: Story, kind: ReviewKind, **more: Any) -> dict[str, Any]:
    """A whole input, whose ids are the story's, or nobody's where the command makes something new."""
    if name_of(command) == "simulate":
        return simulated(str(more.get("team_id", story.team.id)))
    known: dict[str, Any] = {
        "proposal_id": UUID(story.proposal),
        "review_id": UUID(story.review[kind]),
        "team_id": UUID(story.team.id),
        "simulation_id": UUID(story.simulations[0]) if story.simulations else None,
        "kind": kind,
        **{name: uuid4() for name in NEW.get(command, ())},
        **more,
    }
    found: dict[str, Any] = cased(msgspec.to_builtins(sound(command, **known)))
    return found


def cased(value: Any) -> Any:
    """An input as a client writes it; what is empty is left out."""
    if isinstance(value, dict):
        return {to_camel_case(name): cased(part) for name, part in value.items() if part not in (None, {}, [], ())}
    return [cased(part) for part in value] if isinstance(value, list | tuple) else value


def refusals(who: Person, asked: Sequence[tuple[str, dict[str, Any]]]) -> list[Refusal | None]:
    """What became of each mutation: its refusal, or None. Many in a request, each done by itself."""
    found: list[Refusal | None] = []
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        heads = ", ".join(f"$i{n}: {name[0].upper()}{name[1:]}Input!" for n, (name, _) in enumerate(some))
        verbs = " ".join(
            f"m{n}: {name}(input: $i{n}) {{ userErrors {{ code message path }} }}" for n, (name, _) in enumerate(some)
        )
        answer = who.answer(f"mutation M({heads}) {{ {verbs} }}", **{f"i{n}": one for n, (_, one) in enumerate(some)})
        assert "errors" not in answer, answer["errors"]
        for payload in answer["data"].values():
            (refusal,) = [Refusal(**error) for error in payload["userErrors"]] or [None]
            found.append(refusal)
    return found


def codes(who: Person, asked: Sequence[tuple[str, dict[str, Any]]]) -> list[str | None]:
    """The codes of the refusals."""
    return [refusal and refusal.code for refusal in refusals(who, asked)]


def test_the_tables_name_every_mutation_and_every_field_and_nothing_else() -> None:
    schema = build()._schema
    assert schema.mutation_type is not None
    assert set(schema.mutation_type.fields) == {*mutations(), *CHANGING}
    assert set(root_fields()) <= set(READING), "say in ledger/api/reading.py who may read it"
    assert set(ASKED) >= set(root_fields()) - {"node", "ledgerEvents"}, "say here how it is asked for, and what shows"


#: Ids that nobody has, for what a command may be about.
UNKNOWN = {name: uuid4() for name in ("proposal_id", "review_id", "team_id", "simulation_id")}


def test_each_mutation_is_open_to_the_roles_of_its_row_and_to_nobody_else(story: Story) -> None:
    """Who may, may; who sees the team and may not is FORBIDDEN; to whoever does not see it, it is as an id that nobody has."""
    cells = [
        (command, kind)
        for command in PERMISSIONS
        for kind in (ReviewKind if command in REVIEWS else [ReviewKind.PRODUCT])
    ]
    mistaken, tried = [], 0
    for what, who, held in story.actors:
        known = refusals(who, [(name_of(command), given(command, story, kind)) for command, kind in cells])
        unknown = [given(command, story, kind, **UNKNOWN) for command, kind in cells]
        absent = (
            [None] * len(cells)
            if held
            else refusals(who, [(name_of(c), one) for (c, _), one in zip(cells, unknown, strict=True)])
        )
        for (command, kind), refusal, same in zip(cells, known, absent, strict=True):
            allowed = permitted(command, kind if command in REVIEWS else None)
            code = refusal and refusal.code
            tried += 1
            if not held.isdisjoint(allowed):
                is_right = code != Code.FORBIDDEN
            elif held or set(allowed) == {Role.STEWARD}:
                is_right = code == Code.FORBIDDEN
            else:
                is_right = code == Code.NOT_FOUND and refusal == same
            if not is_right:
                mistaken.append((name_of(command), kind, what, refusal))
    assert mistaken == []
    assert tried == len(cells) * (len(Role) + 1 + len(TEAM_ROLES))


def test_who_comes_in_is_changed_by_the_roles_of_its_row_and_by_nobody_else(story: Story) -> None:
    identity = {"issuer": "https://nobody.example", "subject": "00u"}
    given_to = {"linkIdentity": {**identity, "memberId": story.actors[0].who.id}, "unlinkIdentity": identity}
    assert set(given_to) == set(CHANGING)
    for what, who, held in story.actors:
        for name, code in zip(given_to, codes(who, list(given_to.items())), strict=True):
            expected = Code.FORBIDDEN if held.isdisjoint(CHANGING[name]) else Code.NOT_FOUND
            assert code == expected, (name, what)


def test_an_owner_may_what_is_theirs_though_they_have_left_and_nothing_else(story: Story) -> None:
    cells = []
    for command in PERMISSIONS:
        of = story.declined if name_of(command) == "playBackConcern" else story.proposal
        ids = {"concern_id": story.concern, "decision_id": story.decision, "proposal_id": of}
        known = {name: UUID(one) for name, one in ids.items() if name not in NEW.get(command, ())}
        cells.append((command, given(command, story, ReviewKind.PRODUCT, **known)))
    mistaken = []
    for own, who in story.owners.items():
        found = codes(who, [(name_of(command), asked) for command, asked in cells])
        for (command, _), code in zip(cells, found, strict=True):
            refused = code == Code.FORBIDDEN or (code == Code.NOT_FOUND and PERMISSIONS[command].own is not own)
            if refused is (PERMISSIONS[command].own is own):
                mistaken.append((name_of(command), own, code))
    assert mistaken == []
    assert set(story.owners) == set(Own)


def test_what_a_role_does_not_suffice_for_is_refused_to_others_who_have_the_role(town: Town) -> None:
    """The second table of the page: each row with the role that opens the mutation, and somebody else's thing."""
    team = town.team("Alone")
    other, other_product = team.joined_by("Other", Role.ENGINEER), team.joined_by("Otto", Role.PRODUCT_MANAGER)
    proposal, decision = team.declined()
    about = {"proposalId": proposal, "decisionId": decision}
    team.tell(proposal, decision, team.engineer, other)
    concern = {"proposalId": proposal, "concernId": str(uuid4())}
    team.engineer.does("raiseConcern", **concern, text="Why now?", blocking=False)
    appeal = {"proposalId": proposal, "appealId": str(uuid4()), "reason": "It was on the agenda that was sent round."}
    refused = {
        "resolveConcern": other.is_refused("resolveConcern", **concern),
        "acknowledgeDecision": other.is_refused("acknowledgeDecision", **about, answer="AGREE"),
    }
    team.engineer.does("acknowledgeDecision", **about, answer="NOT_UNDERSTOOD")
    refused["playBackConcern"] = other_product.is_refused("playBackConcern", **about, text="You fear the sale.")
    team.product.does("playBackConcern", **about, text="You fear the sale.")
    refused["confirmPlayback"] = other.is_refused("confirmPlayback", **about)
    refused["correctPlayback"] = other.is_refused("correctPlayback", **about, text="No, the waiting.")
    lodged = {**about, "appealId": appeal["appealId"], "grounds": "PROCEDURE", "text": "It was not on the agenda."}
    team.engineer.does("lodgeAppeal", **lodged)
    for name in ("upholdAppeal", "dismissAppeal"):
        refused[name] = team.product.is_refused(name, **appeal)
    assert {name: answer.code for name, answer in refused.items()} == {
        name_of(command): code for command, (_, code) in ALONE.items()
    }
    # And whoever it is for may.
    team.engineer.does("confirmPlayback", **about)
    team.engineer.does("resolveConcern", **concern)
    other_product.does("dismissAppeal", **appeal)


Seen = Callable[[Any], bool]
#: Each field as it is asked for, and whether an answer shows anything of the team. `$team`, `$proposal`, … are the story's ids.
ASKED: dict[str, tuple[str, Seen]] = {}


def shows(field: str, text: str, seen: Seen = bool) -> None:
    ASKED[field] = (text, seen)


def nodes(found: Any) -> bool:
    return bool(found["nodes"])


shows("accessLog", "accessLog(first: 1) { nodes { kind } }", nodes)
shows("agenda", "agenda(teamId: $team) { lines { item { proposalId } } }")
shows("appeals", "appeals { nodes { appealId } }", nodes)
shows("area", f'area(area: "{AREA}") {{ area }}')
shows("areas", "areas { area }")
shows("backlog", "backlog { nodes { title } }", nodes)
shows("calibration", "calibration { groups { __typename } }", lambda found: bool(found["groups"]))
shows("compareSimulations", "compareSimulations(simulationIds: [$simulation, $other]) { __typename }")
shows("compareVersions", "compareVersions(proposalId: $proposal, kind: CASE, from: 1, to: 1) { __typename }")
shows("concerns", "concerns { nodes { text } }", nodes)
shows("consistencyProof", 'consistencyProof(first: "1", second: "2") { firstRoot }')
shows("costOfNo", "costOfNo { losses }", lambda found: found["losses"] > 0)
shows("decision", "decision(decisionId: $decision) { decision { decisionId } }")
shows("declined", "declined { nodes { decisionId } facets { total } }", lambda found: bool(found["nodes"]))
shows("identities", "identities { nodes { subject } }", nodes)
shows("inbox", "inbox { proposalId }")
shows("inclusionProof", 'inclusionProof(position: "1") { leaf }')
shows("policies", "policies { policyId }", lambda found: found is not None)
shows("policyInForce", "policyInForce(teamId: $team) { version }")
shows("precedents", "precedents(of: {proposalId: $proposal}) { __typename }")
shows("proposal", "proposal(proposalId: $proposal) { title }")
shows("proposals", "proposals(proposalIds: [$proposal]) { title }")
shows("reasonCodes", "reasonCodes { code }")
shows("reasonQuality", "reasonQuality { teams { __typename } }", lambda found: bool(found["teams"]))
shows("review", "review(reviewId: $review) { review { reviewId } lines { item { proposalId } } }")
shows("reviews", "reviews { nodes { reviewId } }", nodes)
shows("revisits", "revisits { nodes { __typename } }", nodes)
shows("simulation", "simulation(simulationId: $simulation) { simulationId }")
shows("team", "team(teamId: $team) { name members { member { memberId } } }")
shows("teams", "teams { nodes { name } }", lambda found: any(node["name"] == "Apricot" for node in found["nodes"]))
shows("timeline", "timeline(of: $proposal) { nodes { kind } }", nodes)
shows("transparency", "transparency { proposed }", lambda found: found["proposed"] > 0)
shows("unansweredNotices", "unansweredNotices { nodes { __typename } }", nodes)
shows("verify", "verify(count: 5) { holds }", lambda found: found["holds"])
shows("viewer", "viewer { member { memberId } }")
shows("whyNot", "whyNot(proposalId: $declined) { decisions { decision { decisionId } } }")


def may_read(field: str, held: frozenset[Role]) -> bool:
    """What the table says of what is of the team."""
    found = READING[field]
    if isinstance(found, Reading):
        return bool(held) or found is Reading.ALL
    return not held.isdisjoint(found)


def asks(story: Story, who: Person, text: str) -> tuple[Any, str | None]:
    """The field's answer, or the code of its error."""
    answer = answered(who, text, ids_of(story))
    if "errors" in answer:
        (error,) = answer["errors"]
        return None, error["extensions"]["code"]
    return answer["data"]["found"], None


def ids_of(story: Story) -> dict[str, str]:
    """What a field may be asked about."""
    return {
        "team": story.team.id,
        "proposal": story.proposal,
        "declined": story.declined,
        "decision": story.decision,
        "review": story.review[ReviewKind.PRODUCT],
        "held": story.held,
        **dict(zip(("simulation", "other"), story.simulations or (), strict=False)),
    }


def answered(who: Person, text: str, ids: dict[str, str]) -> dict[str, Any]:
    """The whole answer to a field."""
    used = {name: one for name, one in ids.items() if f"${name}" in text}
    heads = f"query Q({', '.join(f'${name}: UUID!' for name in used)})" if used else ""
    answer = who.answer(f"{heads} {{ found: {text} }}", **used)
    return {name: part for name, part in answer.items() if name != "extensions"}


def test_each_field_shows_what_its_row_says_to_whom_and_to_nobody_else(story: Story, town: Town) -> None:
    town.auditor.asks("query V($at: Position) { viewer(atLeast: $at) { client } }")
    for view in (
        "backlog(atLeast: $at) { totalCount }",
        "declined(atLeast: $at) { totalCount }",
        "reviews(atLeast: $at) { totalCount }",
    ):
        town.auditor.asks(f"query V($at: Position) {{ {view} }}")
    mistaken = []
    for field in set(root_fields()) & set(ASKED):
        if READING[field] is Reading.OWN:
            continue
        text, seen = ASKED[field]
        for what, who, held in story.actors:
            found, code = asks(story, who, text)
            forbidden = not isinstance(READING[field], Reading) and not may_read(field, held)
            if field == "compareSimulations" and code == Code.BAD_USER_INPUT:
                found, code = "there, and still running", None
            is_seen = code is None and found is not None and seen(found)
            expected = {Code.FORBIDDEN} if forbidden else {None} if may_read(field, held) else {None, Code.NOT_FOUND}
            if is_seen is not may_read(field, held) or code not in expected:
                mistaken.append((field, what, code, found))
    assert mistaken == []


def test_a_field_about_what_one_may_not_see_answers_as_about_an_id_that_nobody_has(story: Story) -> None:
    """By its own id, and by a review's moment, word for word."""
    ids = ids_of(story)
    nobodys = {name: str(uuid4()) for name in ids}
    strangers = [who for _, who, held in story.actors if not held]
    texts = [text for text, _ in ASKED.values() if any(f"${name}" in text for name in ids)]
    texts.append("teams(asOf: {reviewId: $held}) { totalCount }")
    kinds = {"Decision": "decision", "Proposal": "proposal", "Review": "review", "Team": "team"}

    def told(who: Person, about: dict[str, str]) -> list[str]:
        globals_ = [
            f'node(id: "{global_id(kind, UUID(about[name]))}") {{ __typename }}' for kind, name in kinds.items()
        ]
        found = [json.dumps(answered(who, text, about)) for text in (*texts, *globals_)]
        for name, one in about.items():
            found = [text.replace(one, name) for text in found]
        return found

    for who in strangers:
        assert told(who, ids) == told(who, nobodys)
    assert len(texts) > 12
    seen = told(story.actors[0].who, ids)
    assert all(one != other for one, other in zip(seen, told(story.actors[0].who, nobodys), strict=True))


def test_what_is_ones_own_is_shown_to_nobody_else(story: Story) -> None:
    for what, who, held in story.actors:
        assert asks(story, who, "viewer { member { memberId } }")[0] == {"member": {"memberId": who.id}}, what
        waiting, code = asks(story, who, "inbox { proposalId }")
        assert code is None
        # What waits for product managers of the team: the appeal to hear, and the concern to answer.
        assert (
            {one["proposalId"] for one in waiting} >= {story.declined} if Role.PRODUCT_MANAGER in held else not waiting
        ), what


@pytest.mark.parametrize("kind", sorted(NODES))
def test_a_node_of_another_team_is_not_there(story: Story, town: Town, kind: str) -> None:
    ids = {
        "Decision": story.decision,
        "Proposal": story.proposal,
        "Review": story.review[ReviewKind.PRODUCT],
        "Team": story.team.id,
    }
    if kind not in ids:
        assert kind == "Policy"
        ids[kind] = str(uuid4())
        town.steward.does("definePolicy", policyId=ids[kind], name="First", formula={"method": "FIFO"})
        town.auditor.asks("query T($at: Position) { teams(atLeast: $at) { totalCount } }")
    for what, who, held in story.actors:
        found, code = asks(story, who, f'node(id: "{global_id(kind, UUID(ids[kind]))}") {{ __typename }}')
        assert code is None
        assert (found is not None) is (bool(held) or kind == "Policy"), what


def test_nobody_follows_the_facts_of_a_team_that_they_may_not_read(story: Story, town: Town) -> None:
    """The filter itself is tried in `test_streams`; this is its row."""
    text = 'subscription S($team: UUID!) { ledgerEvents(team: $team, after: "0") { position } }'
    body = msgspec.json.encode({"query": text, "variables": {"team": story.team.id}})
    for what, who, held in story.actors:
        headers = {**who._headers, "Accept": "text/event-stream"}
        with town.http.stream("POST", "/graphql/stream", content=body, headers=headers) as response:
            first = next(line for line in response.iter_lines() if line.startswith("data:") and "{" in line)
        assert ("NOT_FOUND" in first) is not bool(held), (what, first)
        assert ("ledgerEvents" in json.loads(first[5:]).get("data", {})) is bool(held)
