"""Three questions to begin with, asked of the story. The README shows them with their answers, and a test asks them."""

from msgspec import Struct

from ledger.demo.cast import team
from ledger.demo.debt_story import proposal
from ledger.values import Role


class Query(Struct, frozen=True):
    """A question in words, whose token asks it, and the GraphQL that asks it."""

    asks: str
    role: Role
    text: str


QUERIES = (
    Query(
        "What is pending in Checkout, in which order, and why?",
        Role.ENGINEER,
        f"""{{
  backlog(filter: {{teamIds: ["{team("Checkout")}"]}}, first: 3) {{
    totalCount
    nodes {{
      rank
      title
      estimate {{ optimistic likely pessimistic }}
      impact {{ drag level }}
      why {{ total terms {{ name contribution }} }}
    }}
  }}
}}""",
    ),
    Query(
        "How openly did the three teams decide?",
        Role.AUDITOR,
        """{
  transparency {
    proposed accepted declined postponed carriedOver reopened startedWithoutYes selfDecided
    timeToDecision { medianDays p90Days }
    noes { count shareWithReason shareTold shareToldInTime shareAcknowledged shareUnderstood }
    concerns { raised unanswered overruled }
    appeals { lodged upheld dismissed }
    reasons { code count }
  }
}""",
    ),
    Query(
        "Why was this one declined, was that told and understood, and what would bring it back?",
        Role.AUDITOR,
        f"""{{
  whyNot(proposalId: "{proposal("search-personal")}") {{
    proposal {{ title status }}
    latestNo {{
      decision {{
        verdict disposition decidedAt
        decider {{ name }}
        reasons {{ code text }}
        rank capacityLeft
        communications {{ channel at }}
        acknowledgements {{ by {{ name }} answer }}
        playbacks {{ text state correction }}
        explanations {{ delayDays reasons {{ code text }} }}
        reconsiderIf
      }}
      chosenInstead {{ title status }}
      conditions {{ summary }}
    }}
  }}
}}""",
    ),
)
