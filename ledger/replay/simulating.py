"""The whole of a replay: lay out, run, hold to the truncation test, score, report. What the command line, a job or a notebook calls."""

from collections.abc import Callable
from concurrent.futures import Executor
from importlib.metadata import version

from msgspec.structs import replace

from ledger.replay import oracle
from ledger.replay.agreement import agreement
from ledger.replay.backtest import Plan, Run, lay_out, run
from ledger.replay.flips import Without, flips
from ledger.replay.forcing import forced_in
from ledger.replay.hindsight import Caught, peeking
from ledger.replay.history import History, instant
from ledger.replay.outcomes import Outcomes
from ledger.replay.policies import make
from ledger.replay.report import Report, rounded
from ledger.replay.scenario import Method, PolicyChoice, Scenario, ScenarioError, checked
from ledger.replay.scoring import Scored
from ledger.replay.sensitivity import survival
from ledger.replay.supposing import supposed
from ledger.replay.visible import Visible
from ledger.values import Verdict

#: What is being done, how much of it is done, and of how much.
Progress = Callable[[str, int, int], None]

ACTUAL = PolicyChoice(Method.AS_DECIDED)


def code_version() -> str:
    """This will name the program and the libraries that its figures rest on."""
    names = ("decision-ledger", "numpy", "scipy")
    return ", ".join(f"{name} {version(name)}" for name in names)


def simulate(
    history: History,
    scenario: Scenario,
    *,
    own_policies: bool = True,
    executor: Executor | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Report:
    """This will replay a scenario on a history. The same inputs give the same bytes, with any executor and without one (for the draws).

    `own_policies`: may the scenario name the user's own code? Raises ScenarioError before anything is run, or when a policy of the
    user's answers what it must not.
    """
    scenario = checked(scenario)
    for choice in scenario.policies:
        make(choice, own=own_policies)
    history = supposed(history, scenario)
    seen = lay_out(history, scenario)
    forced = forced_in(seen, scenario)
    outcomes = Outcomes(seen)
    actual = run(seen, scenario, ACTUAL)
    runs = []
    best = _oracle(seen, scenario, outcomes)
    for done, choice in enumerate(scenario.policies):
        plan = None
        if choice.method == Method.ORACLE:
            if best is None:
                raise ScenarioError("The log is too large for ORACLE. Shorten the period, or leave it out.", "policies")
            plan = best.plan
        runs.append(run(seen, scenario, choice, plan=plan, forced=forced))
        _check_forced(runs[-1], forced)
        progress("Replaying", done + 1, len(scenario.policies))
    caught = peeking(seen, scenario, [actual, *runs], lambda done, total: progress("Cutting the log", done, total))
    report = _report(seen, scenario, outcomes, [actual, *runs], caught, best, progress)
    return _with_survival(report, history, scenario, executor, progress).sealed()


class _Best:
    """The best plan, and what it comes to."""

    def __init__(self, plan: Plan, net: float) -> None:
        self.plan, self.net = plan, net


def _oracle(seen: Visible, scenario: Scenario, outcomes: Outcomes) -> _Best | None:
    if not scenario.regret and all(choice.method != Method.ORACLE for choice in scenario.policies):
        return None
    nothing = run(seen, scenario, PolicyChoice(Method.NOTHING), digests=False)
    plan = oracle.plan(seen, outcomes, nothing)
    if plan is None:
        return None
    clairvoyant = run(seen, scenario, PolicyChoice(Method.ORACLE), plan=plan, digests=False)
    return _Best(plan, outcomes.net_at_end(outcomes.deliveries(clairvoyant)))


def _report(
    seen: Visible,
    scenario: Scenario,
    outcomes: Outcomes,
    runs: list[Run],
    caught: list[tuple[Caught, ...]],
    best: _Best | None,
    progress: Progress,
) -> Report:
    alike = agreement(seen, scenario, tuple(r.choice for r in runs[1:]))
    scored = [Scored(outcomes, r, found) for r, found in zip(runs, caught, strict=True)]
    results, without = [], Without(seen, scenario, outcomes)
    for done, one in enumerate(scored):
        if best is not None and scenario.regret:
            one.regret = best.net - one.net
        turned = flips(without, one)
        results.append(one.result(scored[0], alike, turned))
        progress("Scoring", done + 1, len(scored))
    history = seen.history
    return Report(
        scenario,
        scenario.digest(),
        history.ledger_id,
        1,
        history.position,
        code_version(),
        scenario.seed,
        len(scenario.policies),
        tuple(history.names.team_names[team] for team in outcomes.teams),
        len(seen.reviews),
        instant(seen.reviews[0].at_us),
        instant(max(review.at_us for review in seen.reviews)),
        tuple(instant(int(week)) for week in outcomes.weeks),
        results[0],
        tuple(results[1:]),
    )


def _with_survival(
    report: Report, history: History, scenario: Scenario, executor: Executor | None, progress: Progress
) -> Report:
    """This will say of each flip in how many of the draws it stays one. ORACLE and forced verdicts are not drawn."""
    if not scenario.runs:
        return report
    numbers = {history.names.proposal(number): number for number in range(len(history.names.proposals))}
    results = []
    for done, result in enumerate(report.results):
        if result.flips and result.policy.method != Method.ORACLE:
            shares = survival(history, scenario, result.policy, executor)
            flips = tuple(
                replace(flip, survives=rounded(shares.get((numbers[flip.proposal], flip.simulated), 0.0)))
                for flip in result.flips
            )
            result = replace(result, flips=flips)  # noqa: PLW2901 - the same result, with one thing more
        results.append(result)
        progress("Drawing", done + 1, len(report.results))
    return replace(report, results=tuple(results))


def _check_forced(replayed: Run, forced: list[tuple[int, int, Verdict]]) -> None:
    """This will refuse a yes to what was not there to be chosen."""
    for index, (number, item, verdict) in enumerate(forced):
        step = replayed.steps[number]
        if verdict is Verdict.YES and item not in step.chosen:
            raise ScenarioError(
                f"The proposal is not pending at review {step.review.of_team} of its team under {replayed.choice.name}.",
                "forced",
                str(index),
                "review",
            )
