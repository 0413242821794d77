"""The reasons that a NO may give. A code is added once, may be retired, and is never renamed or used for something else."""

from typing import assert_never, cast

from msgspec import Struct
from msgspec.structs import replace

from ledger.commands.catalogue import AddReasonCode, RetireReasonCode
from ledger.commands.issued import Issued
from ledger.domain.codes import IMPORT_ONLY
from ledger.domain.rejected import Code, Rejected
from ledger.events.catalogue import ReasonCodeAdded, ReasonCodeRetired
from ledger.events.envelope import Event

CatalogueFact = ReasonCodeAdded | ReasonCodeRetired


class ReasonCode(Struct, frozen=True):
    """One code: `companion` is what it asks for besides its text, None: nothing. A retired one no longer serves a new NO."""

    code: str
    meaning: str
    companion: str | None = None
    active: bool = True


class CatalogueState(Struct, frozen=True):
    """Every code that there ever was, by its name."""

    codes: dict[str, ReasonCode] = {}

    def active(self) -> dict[str, str | None]:
        """This will give the codes that a new NO may give, each with its companion."""
        return {code.code: code.companion for code in self.codes.values() if code.active}


def evolve(state: CatalogueState | None, event: Event) -> CatalogueState:
    """This will fold one fact of the catalogue into its state."""
    fact = cast("CatalogueFact", event.fact)
    codes = {} if state is None else state.codes
    match fact:
        case ReasonCodeAdded():
            return CatalogueState({**codes, fact.code: ReasonCode(fact.code, fact.meaning, fact.companion)})
        case ReasonCodeRetired():
            return CatalogueState({**codes, fact.code: replace(codes[fact.code], active=False)})
        case _:
            assert_never(fact)


def decide_add_reason_code(state: CatalogueState | None, issued: Issued[AddReasonCode]) -> list[Struct]:
    """This will add a code that there never was."""
    command = issued.command
    if command.code in IMPORT_ONLY:
        raise Rejected(
            Code.IMPORT_ONLY,
            f"{command.code} marks imported decisions whose source gives no code. Choose another name.",
            "code",
        )
    found = None if state is None else state.codes.get(command.code)
    if found is not None:
        standing = "is in the catalogue" if found.active else "was retired, and a code is never used for something else"
        raise Rejected(Code.WRONG_STATE, f"{command.code} {standing}. Choose another name.", "code")
    return [ReasonCodeAdded(command.code, command.meaning, command.companion)]


def decide_retire_reason_code(state: CatalogueState | None, issued: Issued[RetireReasonCode]) -> list[Struct]:
    """This will let no new NO give an active code."""
    command = issued.command
    found = None if state is None else state.codes.get(command.code)
    if found is None:
        raise Rejected(Code.NOT_FOUND, f"{command.code} is not in the catalogue. Check its spelling.", "code")
    if not found.active:
        raise Rejected(Code.WRONG_STATE, f"{command.code} is retired already; nothing is left to do.", "code")
    return [ReasonCodeRetired(command.code, command.reason)]
