"""Every view there is."""

from projections.audit import projector as audit
from projections.backlog import projector as backlog
from projections.outcomes import projector as outcomes
from projections.projector import View
from projections.reviews import projector as reviews
from projections.sources import projector as sources
from projections.teams import projector as teams
from projections.transparency import projector as transparency

#: The first is followed first.
VIEWS: tuple[View, ...] = (
    teams.VIEW,
    backlog.VIEW,
    audit.VIEW,
    outcomes.VIEW,
    reviews.VIEW,
    sources.VIEW,
    transparency.VIEW,
)

#: Their definitions, as a list in SQL. A view that another version of the program has built counts as not built yet: its rows may look
#: otherwise, or mean something else.
BUILT_AS = ", ".join(f"'{view.definition}'" for view in VIEWS)
