"""The versions of a proposal's case, estimate and impact, and what a source says besides, as the schema shows them."""

from ledger.api import values  # noqa: F401 - what these types show is shown first
from ledger.api.shown import shown
from projections.audit import version_structs as versions
from projections.audit.versions import Comparison, FieldChange, Words

WHERE_IN_LEDGER = "The position of its fact in the ledger."

CASE = shown(
    versions.CaseText,
    "A business case as it read in one version.",
    problem="What is wrong; a source without quadrants has its whole case here.",
    benefits_of_fixing="The benefits of fixing.",
    risks_of_fixing="The risks of fixing.",
    benefits_of_ignoring="The benefits of ignoring.",
    risks_of_ignoring="The risks of ignoring.",
    no_risks_of_fixing="Why there are no risks of fixing.",
    no_benefits_of_ignoring="Why there are no benefits of ignoring.",
    evidence="Links that support it.",
    change_note="What changed in this version.",
)
ESTIMATE = shown(
    versions.EstimateFigures,
    "An estimate as it stood in one version.",
    optimistic="Engineer-days; null: they do not follow from the source's unit.",
    likely="Engineer-days.",
    pessimistic="Engineer-days.",
    unit="The unit in which it was given.",
    value="A source's own value, in that unit.",
    previous_value="The source's value before.",
    subject="What a source's estimate is of, where it has several.",
    removed="Did the source take it away?",
    confidence="How sure whoever gave it is: 0 to 1.",
    basis="What it rests on.",
    cause="Why it changed.",
    note="A remark.",
)
IMPACT = shown(
    versions.ImpactFigures,
    "An impact as it stood in one version.",
    level="The momentum level.",
    method="How it was found.",
    confidence="How sure whoever gave it is: 0 to 1.",
    drag="Engineer-hours a week.",
    growth="Percent a month.",
    judged_level="A person's level, where it disagrees with the hours.",
    blocks_committed_feature="Is a committed feature blocked?",
    note="A remark.",
)
VERSION = shown(
    versions.Version,
    "One version of a proposal's case, estimate or impact.",
    kind="Which of the three; the field of that name is set.",
    version="Its number, from 1.",
    at="When it was given.",
    recorded_at="When the ledger recorded it.",
    position=WHERE_IN_LEDGER,
    by="Who gave it.",
    case="The business case.",
    estimate="The estimate.",
    impact="The impact.",
    provenance="Where it was imported from; null: given here.",
)
WORDS = shown(
    Words, "A run of words of a text that changed.", change="What became of it.", text="The words, blanks among them."
)
FIELD_CHANGE = shown(
    FieldChange,
    "One field that reads otherwise.",
    field="The field's name in the fact.",
    before="What it said; null: it was absent.",
    after="What it says; null: it is absent.",
    words="Where both are there: the changed words in their place.",
)
COMPARISON = shown(
    Comparison,
    "Two versions, and each field that differs.",
    kind="Case, estimate or impact.",
    before="The one; null: there was none.",
    after="The other; null: there is none.",
    changes="The fields that differ.",
)
SOURCE_NOTE = shown(
    versions.SourceNote,
    "What an imported source says besides, word for word.",
    external_id="The source's own id of what it belongs to.",
    kind="What it is about.",
    text="The words.",
    at="When it was true.",
    position=WHERE_IN_LEDGER,
)
