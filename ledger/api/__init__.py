"""The GraphQL API: a file per noun, and the plumbing that all nouns share.

How a noun adds its fields (`viewer.py` is the example to copy):

1. Write `ledger/api/<noun>.py`. Its GraphQL types are `@strawberry.type(description=…)` classes; every type, field and argument has a
   description (a test refuses one without). Enums are those of `ledger.values`, described in `enums.py`.
2. Its root fields are the async resolvers of one `@strawberry.type class <Noun>Query`. Only root fields are async: a resolver reads all
   that is selected in one statement and builds the whole answer.
3. Name that class in `NOUNS` in `schema.py`. A type that `node(id)` should find implements `Node`, and is named in `NODES` there with
   the function that reads it.
4. Export the schema again (`python -m ledger.api.schema > ledger/api/schema.graphql`) and commit both.

A root resolver, whole:

    @strawberry.field(description="The pending proposals of a team, best first.")
    async def backlog(
        self, info: Info, team_id: Annotated[UUID, strawberry.argument(description="The team.")],
        as_of: AsOfArgument = None, at_least: AtLeastArgument = None, first: FirstArgument = PAGE, after: AfterArgument = None,
    ) -> Connection[BacklogItem]:
        context = info.context
        at = await context.position("backlog", as_of, at_least)   # waits for the view, or raises VIEW_LATE; None: as it is now
        context.refuse_unseen(team_id)                            # NOT_FOUND for a team that the viewer may not see
        page = Page.of(first, after, "rank", float, int, UUID)    # the cursor's key, checked; BAD_USER_INPUT for a bad one
        async with context.read() as connection:
            rows = await queries.backlog(connection, team_id, as_of=at, limit=page.limit, after=page.key)
            total = await queries.backlog_total(connection, team_id, as_of=at) if selects(info, "totalCount") else None
            names = await context.members({row.proposer for row in rows}, connection)
        return page.connection(rows, key=lambda row: (row.score, row.position, row.id), node=…, total=total)

- `await context.position(…)` comes first, since roles may change while it waits, and outside `context.read()`, so that waiting holds
  no connection.
- `context.visible_teams()` are the teams that the viewer may read: None means all. Every query is filtered by it.
- Expected errors: raise one of `errors.py` (`not_found`, `bad_input`, …). Anything else is logged once and masked.
- Ids: a type's own id is `<noun>Id: UUID!`, the same word as in the inputs; `id: ID!` is the global one for `node(id)`.
"""

from ledger.api import enums as enums  # the enums are described before any noun mentions one
