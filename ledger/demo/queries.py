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
  backlog(teamId: "{team("Checkout")}", first: 3) {{
    totalCount
    nodes {{ rank title score {{ total terms {{ name contribution }} }} }}
  }}
}}""",
    ),
    Query(
        "How openly did the three teams decide?",
        Role.AUDITOR,
        """{
  transparency { proposed accepted declined postponed }
}""",
    ),
    Query(
        "Why was this one declined, and was it told?",
        Role.AUDITOR,
        f"""{{
  whyNot(proposalId: "{proposal("search-personal")}") {{
    verdict
  }}
}}""",
    ),
)
