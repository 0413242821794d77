"""What the rules' tests read."""

WHY_NOT = """
query WhyNot($of: UUID!, $at: Position) {
  whyNot(proposalId: $of, atLeast: $at) {
    proposal { status caseVersion estimateVersion impactVersion }
    concerns { concernId text blocking state raisedBy { memberId } overruledBy { memberId } overruledBecause resolvedAt answer }
    decisions {
      decision {
        decisionId verdict disposition reviewId standing selfDecided final reconsiderIf unexplained tellBy toldAt acknowledgedAt
        decider { memberId name } basis { caseVersion estimateVersion impactVersion policyVersion }
        reasons { code text companion } chosenInstead revisit { kind on count hours } daysReserved capacityLeft overCapacityReason
        communications { channel namesProposer audience { memberId } }
        acknowledgements { answer by { memberId } }
        playbacks { text state correction }
        reopened { because note }
        provenance { system externalId }
      }
      conditions { summary holds }
      appeals { appealId state grounds outcome by { memberId } heardBy { memberId } }
      basisDiff { kind before { version } after { version } changes { field before after } }
    }
  }
}
"""
TIMELINE = """
query Timeline($of: UUID!, $kinds: [String!], $at: Position) {
  timeline(of: $of, kinds: $kinds, first: 100, atLeast: $at) {
    nodes { kind version summary body position actor { member { memberId } role } }
  }
}
"""
REVIEW = """
query Review($of: UUID!, $at: Position) {
  review(reviewId: $of, atLeast: $at) {
    review { state capacity reserved itemCount decidedCount carriedOverCount minutesUrl }
    lines { item { proposalId state verdict daysReserved carriedOverBecause } }
  }
}
"""
NOTICES = """
query Notices($told: Boolean, $at: Position) {
  unansweredNotices(told: $told, atLeast: $at) { nodes { ageHours hoursOverdue decision { decisionId toldAt } } }
}
"""
TRANSPARENCY = """
query Transparency($teams: [UUID!], $at: Position) {
  transparency(teamIds: $teams, atLeast: $at) {
    proposed declined redirected startedWithoutYes started abandoned nobodyLooked selfDecided
    declines { count told unexplained reasonedWhenDecided imported }
  }
}
"""
BACKLOG = """
query Backlog($at: Position) { backlog(first: 100, atLeast: $at) { nodes { proposalId } } }
"""
INBOX = """
query Inbox($at: Position) { inbox(atLeast: $at) { proposalId } }
"""
