"""What can happen to a replay that somebody asked for. The stream is the simulation's own id; what it found is kept beside the log."""

from msgspec import Struct

from ledger.events.registry import exogenous, fact
from ledger.values import TeamId


@fact("SimulationRequested", exogenous)
class SimulationRequested(Struct, frozen=True):
    """Somebody asked what another prioritisation would have done for some teams."""

    team_ids: tuple[TeamId, ...]
    #: The scenario but for its teams, as canonical JSON: `decision-ledger simulate` runs it again.
    scenario: str
    #: SHA-256, hexadecimal, of the scenario.
    scenario_sha256: str


@fact("SimulationCompleted", exogenous)
class SimulationCompleted(Struct, frozen=True):
    """It ran to its end. The same scenario on the same facts with the same program gives the same digest."""

    #: SHA-256, hexadecimal, of the report.
    digest: str
    #: The facts that it rests on: from 1 to this position.
    last_position: int
    #: The program, and the libraries that its figures rest on.
    code_version: str
    #: How many reviews were replayed, under how many policies.
    reviews: int
    policies: int
    #: No policy knew at any review what came later.
    passed_hindsight_check: bool


@fact("SimulationFailed", exogenous)
class SimulationFailed(Struct, frozen=True):
    """It could not be run, or ran into a limit."""

    reason: str


@fact("SimulationCancelled", exogenous)
class SimulationCancelled(Struct, frozen=True, omit_defaults=True):
    """It is not wanted any more."""

    reason: str | None = None


@fact("SimulationInterrupted", exogenous)
class SimulationInterrupted(Struct, frozen=True):
    """The process that ran it ended before it did. Ask again."""

    reason: str
