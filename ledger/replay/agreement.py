"""How far two policies rank alike: Kendall's τ-b over the candidates of the reviews as they were."""

import numpy as np

from ledger.ranking import DEFAULT_FORMULA, Formula
from ledger.replay.backtest import Stepper, World
from ledger.replay.history import Floats
from ledger.replay.policies import Policy, check_answer, make
from ledger.replay.scenario import PolicyChoice, Scaling, Scenario
from ledger.replay.visible import Visible

#: Candidates of one review that are compared; of more, so many evenly spread over the order of submission.
COMPARED_MAX = 400
IN_FORCE = "IN_FORCE"


class Agreement:
    """The mean τ-b of each pair of policies over the reviews at which both give scores that differ."""

    def __init__(self, pairs: dict[tuple[str, str], float]) -> None:
        self._pairs = pairs

    def of(self, name: str) -> dict[str, float]:
        """This will give a policy's agreement with the others."""
        return {other: tau for (own, other), tau in sorted(self._pairs.items()) if own == name}


def agreement(seen: Visible, scenario: Scenario, choices: tuple[PolicyChoice, ...]) -> Agreement:
    """This will let all policies score what each review had before it, and compare their orders; the policy in force is one of them."""
    policies = {
        choice.name: make(choice) for choice in choices if choice.method not in ("AS_DECIDED", "ORACLE", "NOTHING")
    }
    in_force: dict[int, Policy] = {}
    world = World.new(len(seen.history.names.proposals))
    stepper = Stepper(seen, scenario, PolicyChoice("FIFO"), lambda table: table.drag, None, digests=False)
    sums: dict[tuple[str, str], list[float]] = {}
    for review, sight in zip(seen.reviews, seen.sights, strict=True):
        table = stepper.table(world, review, sight)
        if not len(table):
            continue
        if review.formula not in in_force:
            formulas = seen.history.names.formulas
            in_force[review.formula] = formula_policy(
                formulas[review.formula] if review.formula >= 0 else DEFAULT_FORMULA
            )
        rows = np.linspace(0, len(table) - 1, min(len(table), COMPARED_MAX)).astype(np.int64)
        scores = {
            name: check_answer(policy(table), table, name)[rows]
            for name, policy in {**policies, IN_FORCE: in_force[review.formula]}.items()
        }
        names = [name for name, found in scores.items() if found.dtype != np.bool_]
        for index, one in enumerate(names):
            for other in names[index + 1 :]:
                tau = kendall(scores[one].astype(np.float64), scores[other].astype(np.float64))
                if tau is not None:
                    sums.setdefault((one, other), []).append(tau)
    pairs = {pair: round(float(np.mean(taus)), 6) for pair, taus in sums.items()}
    return Agreement(pairs | {(other, one): tau for (one, other), tau in pairs.items()})


def formula_policy(formula: Formula) -> Policy:
    """This will give the policy of a live formula, which scores by the same code as the backlog."""
    choice = PolicyChoice(
        formula.method.value,
        weights=formula.weights,
        scale=formula.scale,
        scaling=Scaling.SCALE,
        engineers=formula.engineers,
    )
    return make(choice)


def kendall(one: Floats, other: Floats) -> float | None:
    """This will give Kendall's τ-b (1945), which takes ties into account; None where one of them ranks nothing."""
    first = np.sign(_comparable(one)[:, None] - _comparable(one)[None, :])
    second = np.sign(_comparable(other)[:, None] - _comparable(other)[None, :])
    whole = float(np.sqrt((first != 0).sum()) * np.sqrt((second != 0).sum()))
    return float((first * second).sum()) / whole if whole else None


def _comparable(scores: Floats) -> Floats:
    """This will put −∞ at a place of its own below all others, since ∞ − ∞ is nothing."""
    finite = scores[np.isfinite(scores)]
    low = float(finite.min()) - 1.0 if len(finite) else 0.0
    return np.where(np.isfinite(scores), scores, low)
