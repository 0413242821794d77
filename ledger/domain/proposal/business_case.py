"""Rule 2: what a business case must say, and how long it may be."""

from collections.abc import Iterator

from ledger.commands.proposal import BusinessCase
from ledger.domain.effort import figure, share
from ledger.domain.proposal.standing import said, seen
from ledger.domain.rejected import Code, Rejected
from ledger.events.proposal import BusinessCaseRevised
from ledger.values import BenefitCode, Evidence, Risk

WORDS_MAX = 600
LINK_STARTS = ("https://", "http://", "urn:", "mailto:")
SHA256_DIGITS = 64


def texts(case: BusinessCase) -> Iterator[str]:
    """This will give every text of a case that a reader reads; links, codes and figures are no words."""
    yield case.problem
    yield from (benefit.text for benefit in case.benefits_of_fixing)
    yield from (risk.text for risk in case.risks_of_ignoring)
    yield from case.risks_of_fixing
    yield from case.benefits_of_ignoring
    yield case.no_risks_of_fixing or ""
    yield case.no_benefits_of_ignoring or ""


def word_count(case: BusinessCase) -> int:
    """This will count the words of a case: runs of characters between white space."""
    return sum(len(text.split()) for text in texts(case))


def revised(case: BusinessCase, version: int, change_note: str | None = None) -> BusinessCaseRevised:
    """This will check a case and give its fact. Raises CASE_INCOMPLETE, CASE_TOO_LONG, BAD_USER_INPUT."""
    _check_quadrants(case)
    words = word_count(case)
    if words > WORDS_MAX:
        raise Rejected(
            Code.CASE_TOO_LONG,
            f"The case has {words} words; at most {WORDS_MAX} are allowed. Shorten it by {words - WORDS_MAX}.",
            "business_case",
        )
    return BusinessCaseRevised(
        case_version=version,
        problem=case.problem,
        benefits_of_fixing=case.benefits_of_fixing,
        risks_of_fixing=case.risks_of_fixing,
        benefits_of_ignoring=case.benefits_of_ignoring,
        risks_of_ignoring=case.risks_of_ignoring,
        no_risks_of_fixing=case.no_risks_of_fixing,
        no_benefits_of_ignoring=case.no_benefits_of_ignoring,
        evidence=case.evidence,
        change_note=change_note,
    )


def _check_quadrants(case: BusinessCase) -> None:
    said(case.problem, "The problem", "business_case", "problem")
    for index, benefit in enumerate(case.benefits_of_fixing):
        said(benefit.text, "A benefit of fixing", "business_case", "benefits_of_fixing", str(index), "text")
    if all(benefit.code is BenefitCode.COSMETIC for benefit in case.benefits_of_fixing):
        raise Rejected(
            Code.CASE_INCOMPLETE,
            "The case needs a benefit of fixing that is more than COSMETIC. Say what the team or its users gain.",
            "business_case",
            "benefits_of_fixing",
        )
    if not case.risks_of_ignoring:
        raise Rejected(
            Code.CASE_INCOMPLETE,
            "The case needs at least one risk of ignoring. Say what happens if nothing is done.",
            "business_case",
            "risks_of_ignoring",
        )
    for index, risk in enumerate(case.risks_of_ignoring):
        _check_risk(risk, ("business_case", "risks_of_ignoring", str(index)))
    _filled_or_none(case.risks_of_fixing, case.no_risks_of_fixing, "risks_of_fixing")
    _filled_or_none(case.benefits_of_ignoring, case.no_benefits_of_ignoring, "benefits_of_ignoring")
    for index, evidence in enumerate(case.evidence):
        _check_evidence(evidence, ("business_case", "evidence", str(index)))


def _filled_or_none(lines: tuple[str, ...], why_none: str | None, name: str) -> None:
    words = name.replace("_", " ")
    for index, line in enumerate(lines):
        said(line, f"One of the {words}", "business_case", name, str(index))
    if lines and why_none is not None:
        raise Rejected(
            Code.CASE_INCOMPLETE,
            f"The case lists {words} and says that there are none. Keep one of the two.",
            "business_case",
            f"no_{name}",
        )
    if not lines and not seen(why_none):
        raise Rejected(
            Code.CASE_INCOMPLETE,
            f"The case says nothing of the {words}. List them, or say why there are none.",
            "business_case",
            name,
        )


def _check_risk(risk: Risk, path: tuple[str, ...]) -> None:
    said(risk.text, "A risk of ignoring", *path, "text")
    if risk.probability is not None:
        share(risk.probability, "probability", (*path, "probability"))
    if risk.loss_hours is not None:
        figure(risk.loss_hours, "engineer-hours lost", (*path, "loss_hours"))
    if risk.window_weeks is not None and risk.window_weeks < 1:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"A risk within {risk.window_weeks} weeks cannot be; give 1 or more.",
            *path,
            "window_weeks",
        )


def _check_evidence(evidence: Evidence, path: tuple[str, ...]) -> None:
    if not evidence.url.startswith(LINK_STARTS):
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"{evidence.url!r} is no link. Begin it with {', '.join(LINK_STARTS)}.",
            *path,
            "url",
        )
    digits = evidence.sha256
    if digits is not None and (len(digits) != SHA256_DIGITS or not set(digits) <= set("0123456789abcdef")):
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"A SHA-256 has {SHA256_DIGITS} digits of 0-9 and a-f; this is none. Leave it out if it was not taken.",
            *path,
            "sha256",
        )
