"""The rules of a proposal, a file per thing that people do with one. Each command has its `decide_…`; `evolve` folds all facts."""

from ledger.domain.proposal.appealing import decide_dismiss_appeal, decide_lodge_appeal, decide_uphold_appeal
from ledger.domain.proposal.concerns import (
    decide_answer_concern,
    decide_overrule_concern,
    decide_raise_concern,
    decide_resolve_concern,
)
from ledger.domain.proposal.deciding import (
    decide_carry_over_item,
    decide_explain_decision,
    decide_take_decision,
)
from ledger.domain.proposal.estimating import (
    decide_add_dependency,
    decide_assess_impact,
    decide_estimate_proposal,
    decide_remove_dependency,
)
from ledger.domain.proposal.evolving import evolve
from ledger.domain.proposal.lifecycle import (
    decide_merge_proposal,
    decide_split_proposal,
    decide_supersede_proposal,
    decide_withdraw_proposal,
)
from ledger.domain.proposal.revisiting import (
    Circumstances,
    decide_reopen_proposal,
    decide_waive_revisit,
    due,
    reopen_due,
)
from ledger.domain.proposal.state import Appeal, Concern, Decision, ProposalFact, ProposalState
from ledger.domain.proposal.submitting import (
    decide_redirect_proposal,
    decide_revise_business_case,
    decide_screen_criticality,
    decide_submit_proposal,
)
from ledger.domain.proposal.telling import (
    decide_acknowledge_decision,
    decide_communicate_decision,
    decide_confirm_playback,
    decide_correct_playback,
    decide_play_back_concern,
)
from ledger.domain.proposal.working import (
    decide_abandon_work,
    decide_complete_work,
    decide_measure_benefit,
    decide_pause_work,
    decide_report_risk,
    decide_start_work,
)

__all__ = [
    "Appeal",
    "Circumstances",
    "Concern",
    "Decision",
    "ProposalFact",
    "ProposalState",
    "decide_abandon_work",
    "decide_acknowledge_decision",
    "decide_add_dependency",
    "decide_answer_concern",
    "decide_assess_impact",
    "decide_carry_over_item",
    "decide_communicate_decision",
    "decide_complete_work",
    "decide_confirm_playback",
    "decide_correct_playback",
    "decide_dismiss_appeal",
    "decide_estimate_proposal",
    "decide_explain_decision",
    "decide_lodge_appeal",
    "decide_measure_benefit",
    "decide_merge_proposal",
    "decide_overrule_concern",
    "decide_pause_work",
    "decide_play_back_concern",
    "decide_raise_concern",
    "decide_redirect_proposal",
    "decide_remove_dependency",
    "decide_reopen_proposal",
    "decide_report_risk",
    "decide_resolve_concern",
    "decide_revise_business_case",
    "decide_screen_criticality",
    "decide_split_proposal",
    "decide_start_work",
    "decide_submit_proposal",
    "decide_supersede_proposal",
    "decide_take_decision",
    "decide_uphold_appeal",
    "decide_waive_revisit",
    "decide_withdraw_proposal",
    "due",
    "evolve",
    "reopen_due",
]
