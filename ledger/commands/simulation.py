"""What can be asked of replays that run as jobs."""

from typing import Annotated, NewType

from msgspec import Meta, Struct

from ledger.commands.issued import Line
from ledger.values import SimulationId, TeamId

TEAMS_MAX = 50
SCENARIO_LENGTH_MAX = 64_000
#: Canonical JSON of a scenario, which was checked by whoever wrote it down.
ScenarioText = NewType("ScenarioText", str)


class Simulate(Struct, frozen=True):
    """Replay history under another prioritisation, with only what was known at each review. Answers at once; the replay runs on."""

    simulation_id: Annotated[SimulationId, Meta(description="The new simulation.")]
    team_ids: Annotated[
        tuple[TeamId, ...],
        Meta(description="The teams whose reviews are replayed.", min_length=1, max_length=TEAMS_MAX),
    ]
    scenario: Annotated[
        ScenarioText, Meta(description="What is to be tried.", min_length=2, max_length=SCENARIO_LENGTH_MAX)
    ]


class CancelSimulation(Struct, frozen=True, omit_defaults=True):
    """Stop a simulation that is not wanted any more."""

    simulation_id: Annotated[SimulationId, Meta(description="The simulation.")]
    reason: Annotated[Line | None, Meta(description="Why.")] = None
