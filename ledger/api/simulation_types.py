"""Simulations and what they found, as the schema shows them."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from ledger.api import simulation_inputs  # noqa: F401 - the enums are described there
from ledger.api.enums import describe
from ledger.api.shown import shown
from ledger.domain.simulation import SimulationStatus
from ledger.replay.comparing import Agreement, CommonFlip, Side
from ledger.replay.report import Bounds, Check, Flip, Known, Report, Result, Shares, Starved, Waits
from ledger.replay.scenario import PolicyChoice
from ledger.values import MemberId

describe(
    SimulationStatus,
    {
        "QUEUED": "It waits for its turn.",
        "RUNNING": "It is being run.",
        "COMPLETED": "Its report is there.",
        "FAILED": "It could not be run, or ran into a limit; the reason says which.",
        "CANCELLED": "Somebody cancelled it.",
        "INTERRUPTED": "The process that ran it ended before it did. Ask again.",
    },
)
describe(
    Check,
    {
        "PASSED": "The log cut at each review gives the same selections.",
        "FAILED": "At some review the policy knew what came later.",
        "NOT_APPLICABLE": "The policy is clairvoyant, and says so.",
    },
    name="HindsightCheck",
    about="How the truncation test ended.",
)


class Progress(Struct, frozen=True):
    """How far a simulation is."""

    doing: str
    done: int
    total: int


class SimulationView(Struct, frozen=True):
    """A simulation as it is shown."""

    simulation_id: UUID
    status: SimulationStatus
    team_ids: tuple[UUID, ...]
    requested_by: MemberId
    requested_at: datetime
    scenario: str
    scenario_sha256: str
    progress: Progress
    reason: str | None
    ended_at: datetime | None
    digest: str | None
    report: Report | None


class ComparisonView(Struct, frozen=True):
    """A comparison as it is shown."""

    simulation_ids: tuple[UUID, ...]
    weeks: tuple[datetime, ...]
    sides: tuple[Side, ...]
    agreement: tuple[Agreement, ...]
    flips: tuple[CommonFlip, ...]


shown(
    PolicyChoice,
    "A policy that was tried.",
    type_name="TriedPolicy",
    method="The policy.",
    name="What it is called.",
    weights="WEIGHTED: the share of each feature.",
    scale="WEIGHTED: the figure of each feature that counts as 1.",
    engineers="CD3: how many work on an item at once.",
)
shown(
    Bounds,
    "Hours that rest in part on what is imputed.",
    type_name="HoursBounds",
    low="At least.",
    likely="As assessed.",
    high="At most.",
)
shown(
    Shares,
    "Of the work that was done in this world: how sure its worth is.",
    type_name="WorthShares",
    observed="Share whose worth was measured afterwards.",
    imputed="Share whose worth follows from assessments.",
    unknown="Share of which nothing is known.",
    items="How many items.",
)
shown(
    Waits,
    "Days from the proposal to its yes.",
    type_name="SimulatedWaits",
    count="How many got a yes.",
    median="Half of them waited no longer; null: none got one.",
    p85="85 % waited no longer.",
    longest="The longest wait.",
)
shown(
    Known,
    "What became known of an item after the review.",
    type_name="KnownLater",
    actual_days="Engineer-days that it took; null: not known.",
    measured_hours_a_week="Hours a week that it was measured to win back; null: not measured.",
    losses_hours="Engineer-hours lost by risks that materialised.",
    ended_as="COMPLETED, ABANDONED or GONE; null: it is still open.",
)
shown(
    Flip,
    "A decision that the replay takes otherwise, with what was seen then and what came later.",
    type_name="SimulatedFlip",
    proposal="The proposal.",
    title="Its title.",
    team="Its team's name.",
    review="The review, counting all of the replay from 1.",
    of_team="Counting the team's own.",
    at="When the review was.",
    actual="YES, a disposition of a NO, or NOT_ANSWERED.",
    simulated="What the policy says.",
    score="Its score; null: the policy gives none.",
    rank="Its rank there.",
    cut="The lowest score that was chosen there.",
    case_version="The version of the case that was seen.",
    estimate_version="The version of the estimate that was seen; 0: there was none.",
    impact_version="The version of the impact that was seen; 0: there was none.",
    actual_yes_at="When it did get a yes; null: never.",
    simulated_yes_at="When it gets a yes in the replay; null: never.",
    later="What became known later.",
    contribution="Net hours that the whole replay loses without this flip; null: not reckoned.",
    survives="Share of the draws in which it stays a flip; null: nothing was drawn.",
)
shown(
    Starved,
    "An item that could be chosen at many reviews and never was.",
    type_name="StarvedItem",
    proposal="The proposal.",
    title="Its title.",
    team="Its team's name.",
    reviews="At how many reviews it was passed over.",
    days="How many days it has waited.",
)
shown(
    Result,
    "How one policy did. Hours are engineer-hours; curves have a value for each week of the report.",
    type_name="SimulationResult",
    policy="The policy.",
    hindsight_check="Did it know at any review what came later?",
    caught="The reviews at which it did.",
    net_hours="Net hours recovered by the end of the log.",
    gain_hours="Against what was done.",
    gain="Its bounds, from which drops out what both did alike.",
    regret_hours="Short of the best plan in hindsight; null: not reckoned.",
    momentum="The share of the weekly hours that is free of drag; empty where no team's hours are known.",
    open_drag="Drag of what is open, in hours a week.",
    net="Net hours recovered since the first review.",
    net_low="Its low bound.",
    net_high="Its high bound.",
    drawdown_hours="The deepest fall from an earlier high.",
    under_water_weeks="The longest run of weeks below an earlier high.",
    payback_weeks="Weeks until the hours spent are won back for good; null: not by the end.",
    chosen="How many got a yes.",
    capacity_days="Engineer-days that there were.",
    used_days="Engineer-days that were promised.",
    waits="How long items waited.",
    starved="Items that were passed over again and again, the longest waiting 20.",
    starved_count="How many were.",
    shares="How sure the worth is.",
    flips="The first 200 decisions taken otherwise.",
    flips_count="How many there are.",
    agreement="Kendall's τ-b with the other policies of the report and with the one in force, by name.",
)
shown(
    Report,
    "What a simulation found.",
    type_name="SimulationReport",
    position="The facts that it rests on: from 1 to this position.",
    digest="SHA-256, hexadecimal, of the report: the same inputs give the same.",
    code_version="The program, and the libraries that its figures rest on.",
    seed="The seed of all that is drawn.",
    teams="The teams.",
    reviews="How many reviews were replayed.",
    first_review="When the first was.",
    last_review="When the last was.",
    weeks="The weeks of the curves.",
    actual="What was done.",
    results="What the policies would have done, in the order of the scenario.",
)
shown(
    Progress,
    "How far a simulation is.",
    type_name="SimulationProgress",
    doing="What is being done.",
    done="How much of it.",
    total="Of how much; 0: not known.",
)
SIMULATION = shown(
    SimulationView,
    "A replay of history under another prioritisation, as a job.",
    type_name="Simulation",
    simulation_id="The simulation.",
    status="Where it stands.",
    team_ids="The teams whose reviews are replayed.",
    requested_by="Who asked.",
    requested_at="When.",
    scenario="The scenario but for its teams, as canonical JSON: `decision-ledger simulate` runs it again.",
    scenario_sha256="SHA-256, hexadecimal, of the scenario.",
    progress="How far it is.",
    reason="Why it failed, was cancelled or interrupted; null: it was not.",
    ended_at="When it ended; null: it has not.",
    digest="SHA-256, hexadecimal, of the report; null: there is none.",
    report="What it found; null: it has not completed, or it is so old that only its facts are kept.",
)
shown(
    Side,
    "One policy of one simulation.",
    type_name="ComparedSide",
    report="The simulation, by its place among the ids, from 0.",
    policy="What the policy is called.",
    net_hours="Net hours recovered by the end of the log.",
    gain_hours="Against what was done.",
    longest_wait_days="The longest wait for a yes.",
    net="Net hours recovered, on the weeks of the comparison; null: before its first review.",
    momentum="Momentum, on the weeks of the comparison; empty where no team's hours are known.",
)
shown(
    Agreement,
    "How far two sides take things on in the same order.",
    type_name="ComparedAgreement",
    one="A side, by its number from 0.",
    other="Another.",
    tau="Kendall's τ-b: 1 the same order, −1 reversed; null: nothing to compare.",
)
shown(
    CommonFlip,
    "A decision that several sides take otherwise than it was taken.",
    proposal_id="The proposal.",
    title="Its title.",
    simulated="What they say.",
    sides="Which sides, by their numbers from 0.",
)
COMPARISON = shown(
    ComparisonView,
    "Simulations side by side.",
    type_name="SimulationComparison",
    simulation_ids="The simulations, in the order in which they were asked for.",
    weeks="The weeks of the curves.",
    sides="All policies of all of them.",
    agreement="Each pair of sides.",
    flips="What several of them decide otherwise, the most agreed on first.",
)
