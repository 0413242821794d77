"""How teams answer, in counts, times and shares, as the schema shows them."""

from ledger.api import values  # noqa: F401 - what these types show is shown first
from ledger.api.shown import shown
from projections.transparency import counts

SHARE = "0 to 1; null: there were none."

NOES = shown(
    counts.Noes,
    "What became of NOs on whole proposals, taken in the period. Where a thing stands is as of the state shown.",
    type_name="NoCounts",
    count="How many.",
    proposals="Proposals that got their first answer of this kind in the period; for all kinds together, summed over them.",
    reasoned_when_decided="With a reason on their day.",
    unexplained_when_decided="Without any reason on their day.",
    explained_later="Of those without: with a reason since.",
    unexplained="Of those without: without one even now.",
    told="Told to the proposer.",
    promised="Covered by a service level.",
    told_in_time="Of those covered: told within it.",
    acknowledged="Answered by a recipient.",
    understood="Understood, agreed or not.",
    imported="Imported.",
    share_with_reason=f"The share with a reason by now, {SHARE}",
    share_told=f"The share told to the proposer, {SHARE}",
    still_in_time="Of those covered: not told yet, with time left.",
    share_told_in_time=f"The share told within the service level, of those covered that were told or whose time has run out, {SHARE}",
    share_acknowledged=f"The share answered by a recipient, {SHARE}",
    share_understood=f"The share understood, {SHARE}",
)
WAITING = shown(
    counts.Waiting,
    "Days from a submission to its first answer, of those answered in the period.",
    type_name="TimeToDecision",
    count="How many were answered for the first time; those whose source does not say when they were submitted or answered are left out."
    " So are those of which the order of dates makes no sense.",
    median_days="The median; null: none.",
    p90_days="The 90th percentile; null: none.",
)
CONCERNS = shown(
    counts.Concerns,
    "Concerns raised in the period, by where they stand.",
    type_name="ConcernCounts",
    raised="All.",
    unanswered="Nobody has answered.",
    answered="Answered, not settled.",
    resolved="Settled.",
    overruled="Overruled.",
)
APPEALS = shown(
    counts.Appeals,
    "Appeals lodged in the period, by how they ended.",
    type_name="AppealCounts",
    lodged="All.",
    open="Not heard yet.",
    upheld="Upheld.",
    dismissed="Dismissed.",
)
REVIEWS = shown(
    counts.ReviewsHeld,
    "Reviews of the period against the cadence. They are of whole teams, so that `area` leaves them as they are; no `source` has any.",
    type_name="ReviewCounts",
    held="Held.",
    skipped="Called off.",
    expected="What the cadence asks for since the team was formed, up to now; null: no team has one.",
)
REASON_COUNT = shown(counts.ReasonCount, "How many NOs gave a reason.", code="The reason code.", count="How many.")
AREA_COUNT = shown(
    counts.AreaCount,
    "How many were declined in an area.",
    area="The area; null: those that name none.",
    count="How many.",
)
BUCKET = shown(
    counts.Bucket,
    "The main counts of one team or one month.",
    type_name="TransparencyBucket",
    team_id="The team; null in a month's.",
    month="The month's first day (YYYY-MM-DD, UTC); null in a team's, and for what no source dates.",
    proposed="Submitted.",
    accepted="Answered YES as a whole.",
    declined="Declined as a whole.",
    postponed="Postponed as a whole.",
    redirected="Sent elsewhere.",
    withdrawn="Withdrawn.",
    completed="Completed.",
    unexplained="NOs without any reason even now.",
)
TRANSPARENCY = shown(
    counts.Transparency,
    "How teams answer in a period. A count is of what happened in the period; imported history is in it, and counted beside it."
    " What its source does not date at all is in no period, and counted where none is asked for.",
    type_name="Transparency",
    proposed="Submitted.",
    accepted="Answered YES as a whole.",
    scoped_accepted="Answered YES in part, by an imported source; in no other count.",
    scoped_other="Answered NO in part, by an imported source; in no other count.",
    declined="Declined.",
    postponed="Postponed.",
    redirected="Sent elsewhere, by an answer or without one.",
    withdrawn="Withdrawn.",
    carried_over="Times that a review left an item for the next.",
    reopened="Times that a decided proposal became pending again.",
    proposals_reopened="Proposals that did.",
    merged="Merged into another.",
    superseded="Superseded.",
    split="Split.",
    started="Starts of work.",
    started_without_yes="Of these: without a YES.",
    completed="Completed.",
    abandoned="Abandoned.",
    estimated="First estimates; a source may have several subjects.",
    proposals_estimated="Proposals with one.",
    estimate_changes="Changed estimates.",
    proposals_with_estimate_changes="Proposals with one.",
    estimates_removed="Estimates taken away by a source.",
    self_decided="Decisions on the decider's own proposal.",
    imported_proposals="Of those submitted: imported.",
    imported_decisions="Of the decisions on a whole: imported.",
    nobody_looked="Of those submitted: pending, on no agenda yet, never answered.",
    time_to_decision="From submission to first answer.",
    noes="All NOs.",
    declines="Those that decline.",
    postponements="Those that postpone.",
    redirections="Those that redirect.",
    concerns="Concerns.",
    appeals="Appeals.",
    product_reviews="Product reviews.",
    engineering_reviews="Engineering reviews.",
    reasons="Reasons of the NOs by frequency, at most 100; a NO with two counts under both.",
    declines_by_area="Declines by area, at most 100.",
    teams="By team, the most proposed first, at most 100.",
    months="By month, the latest first, at most 240; before them what no source dates, if there is any, with a null month.",
)
