"""A proposal as the schema shows it."""

from ledger.api.enums import describe
from ledger.api.shown import shown
from ledger.api.values import SCORE  # noqa: F401 - shown before what holds it
from ledger.values import PlaybackStage
from projections.backlog.areas import AreaSummary
from projections.backlog.queries import Listed, Order
from projections.backlog.structs import (
    CaseShort,
    ConcernShort,
    DecisionShort,
    EstimateShort,
    ImpactShort,
    Origin,
)

describe(
    PlaybackStage,
    {
        "NONE": "Nobody asked for one.",
        "ASKED": "The decider has to restate the concern.",
        "PLAYED_BACK": "The proposer has to say whether that was meant.",
        "CONFIRMED": "It was understood.",
    },
)
describe(
    Order,
    {
        "SCORE": "By the policy in force; DESC is the order of the backlog.",
        "SUBMITTED_AT": "When it was proposed.",
        "DRAG": "Engineer-hours a week; those without come below all others.",
        "ESTIMATE": "Expected engineer-days; those without come below all others.",
        "TITLE": "The title, whatever its case.",
    },
    name="ProposalOrderField",
)

ORIGIN = shown(
    Origin,
    "Where an imported proposal comes from.",
    type_name="ProposalOrigin",
    system="The source system.",
    external_id="The source's own id.",
    url="Where it can be read there.",
    dating="How far it vouches for the date of the submission; null: it gives the instant itself.",
)
CASE = shown(
    CaseShort,
    "The business case in short; `timeline` and `compareVersions` have all of it.",
    type_name="CaseSummary",
    version="Its version.",
    problem="The beginning of the problem.",
    is_cut="Is there more of the problem than is shown?",
    benefits="What fixing would bring.",
)
ESTIMATE = shown(
    EstimateShort,
    "The latest estimate.",
    type_name="Estimate",
    version="Its version.",
    optimistic="Engineer-days if all goes well; null: not known in days.",
    likely="Engineer-days that are likely; null: not known in days.",
    pessimistic="Engineer-days if all goes badly; null: not known in days.",
    unit="The unit in which it was given.",
    value="What the source said, in its own unit.",
    basis="What it rests on; null: not said.",
    confidence="0 to 1; null: not said.",
    expected_days="(optimistic + 4 × likely + pessimistic) ÷ 6 engineer-days; null: not known in days.",
)
IMPACT = shown(
    ImpactShort,
    "The latest impact on momentum.",
    type_name="Impact",
    version="Its version.",
    level="The level that counts.",
    method="How it was found.",
    confidence="0 to 1.",
    drag="Engineer-hours per week that the debt costs; null: not known in hours.",
    growth="Percent per month by which the drag grows.",
    judged_level="A person's level that disagrees with the hours; null: none does.",
    blocks_committed_feature="Does it block a committed feature?",
)
CONCERN = shown(
    ConcernShort,
    "A concern that is neither resolved nor overruled.",
    type_name="OpenConcern",
    concern_id="The concern.",
    raised_by="Who raised it.",
    raised_at="When it was raised.",
    blocking="Does it hold a decision up?",
    answered="Has anybody answered it?",
)
DECISION = shown(
    DecisionShort,
    "The last decision on a proposal, in short; `decision` has all of it.",
    type_name="LastDecision",
    decision_id="The decision.",
    verdict="YES or NO.",
    disposition="What follows from it.",
    decided_at="When it was taken.",
    position="The position at which it was recorded.",
    review_id="The review that took it; null: not known.",
    decider="Who took it; null: not known.",
    codes="The codes of its reasons.",
    self_decided="Did the decider decide on an item of their own?",
    told_at="When those who asked were told; null: they were not.",
    answer="The recipient's last answer; null: none yet.",
    playback="Where the clearing up of a misunderstanding stands.",
    explained="Was a reason given later?",
    open_appeal="The appeal that waits to be heard.",
)
PROPOSAL = shown(
    Listed,
    "A debt that a team was asked to pay, and where it stands.",
    type_name="Proposal",
    node="proposal_id",
    proposal_id="The proposal.",
    team_id="The team that was asked.",
    title="What is to be done.",
    area="A catalogue reference, such as component:default/checkout.",
    kind="What kind of debt it is.",
    proposers="Those who asked, in the order in which they are named; empty where a source does not say.",
    status="Where the proposal stands: pending, answered, or what became of it.",
    submitted_at="When it was proposed.",
    rank="Its place among the team's pending ones by the policy in force, 1 is first; null: it is not pending.",
    score="Its score by that policy, or the last while it was pending; higher is earlier.",
    policy_id="The policy of the score; null: the default formula.",
    policy_version="The version of that policy; 0: the default formula.",
    why="Why it stands where it does: the terms of its score; null: it is not pending.",
    case="Its business case in short; null: it has none.",
    estimate="Its latest estimate; null: not estimated.",
    impact="Its latest impact; null: not assessed.",
    concerns="Its concerns that are neither resolved nor overruled.",
    concerns_open="How many concerns are neither resolved nor overruled.",
    concerns_blocking="How many of the open concerns hold a decision up.",
    concerns_unanswered="How many of the open concerns nobody has answered.",
    needs="The proposals that have to be done first.",
    carried_over="How many reviews in a row have left it undecided.",
    decision="The last decision on it; null: there was none.",
    scoped_decisions="How many imported decisions were on parts of it only.",
    reopened="Why it is pending again; null: it is not, or for the first time.",
    critical="Was it screened as a critical bug?",
    paused="Does its work rest?",
    without_yes="Did work begin that nobody had said yes to?",
    started_at="When work began.",
    ended_at="When work was completed or abandoned.",
    successors="What it went on as: merged into, superseded by, split into.",
    redirect_url="Where it was sent.",
    is_imported="Does it come from an outside history?",
    origin="Where it comes from, for an imported one.",
    touched_at="When the last thing happened to it.",
)
AREA = shown(
    AreaSummary,
    "What is proposed for one area.",
    type_name="Area",
    area="The catalogue reference; null: the proposals that name none.",
    proposals="How many proposals there are.",
    pending="How many wait for an answer.",
    accepted="How many were answered YES and not begun.",
    declined="How many were declined.",
    postponed="How many were postponed.",
    in_progress="How many are under way.",
    completed="How many were completed.",
    pending_drag="Engineer-hours per week that the pending ones cost, where assessed.",
    pending_days="Expected engineer-days to pay the pending ones, where estimated.",
    not_estimated="How many of the pending ones have no estimate in days.",
)
