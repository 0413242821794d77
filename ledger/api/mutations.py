"""One mutation for each command, made from the command itself: a new command has its mutation at once."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, NamedTuple
from uuid import UUID, uuid4

import anyio
import strawberry
from msgspec import Struct
from strawberry import UNSET

from ledger.api.context import Context, Info
from ledger.api.inputs import InputField, fields_of, input_fields, make, values_of
from ledger.api.payload import Payload, Receipt, ReceiptedFact, refused
from ledger.api.reading import refuse_scope
from ledger.api.scalars import Position
from ledger.commands import derived_id
from ledger.commands.issued import Issued
from ledger.commands.policy import DefinePolicy
from ledger.commands.proposal import LodgeAppeal, RaiseConcern, SubmitProposal, TakeDecision
from ledger.commands.review import ScheduleReview
from ledger.commands.simulation import Simulate
from ledger.commands.team import FormTeam
from ledger.domain.authority import PERMISSIONS, Permission
from ledger.domain.rejected import Code, Hidden, Rejected
from ledger.handlers.outcome import Outcome

#: What a command brings into being: the id may be left out, and is then derived from the commandId.
NEW: dict[type[Struct], tuple[str, ...]] = {
    SubmitProposal: ("proposal_id",),
    RaiseConcern: ("concern_id",),
    TakeDecision: ("decision_id",),
    LodgeAppeal: ("appeal_id",),
    ScheduleReview: ("review_id",),
    FormTeam: ("team_id",),
    DefinePolicy: ("policy_id",),
    Simulate: ("simulation_id",),
}
#: The version of a UUID that is made from a name.
NAMED = 5
#: Of the root type.
ABOUT = (
    "What can be done: one verb for each command. Several in one document are done one after the other, and each stands for itself: one "
    "that ends in an error is null beside it, and the others are done and answered all the same."
)
#: The input fields that are about the request and not about the command.
ENVELOPE: dict[str, tuple[Any, str]] = {
    "command_id": (
        UUID | None,
        "Make one for each thing you ask, and send the same again after a lost answer: it is then done once. Left out: one is made.",
    ),
    "expected_version": (
        int | None,
        "The version of the thing that you looked at; if it has moved on since, this is refused as CONFLICT. Left out: any will do.",
    ),
    "occurred_at": (datetime | None, "When it was true, if that is earlier than now."),
}


class Verb(NamedTuple):
    """A command with the GraphQL types made from it. `ids` are its fields that name something, and are in the payload."""

    command: type[Struct]
    fields: tuple[InputField, ...]
    new: tuple[str, ...]
    ids: tuple[str, ...]
    input: type
    payload: type[Payload]


#: By the mutation's name.
VERBS: dict[str, Verb] = {}


def verb(command: type[Struct]) -> Verb:
    """This will make the input and the payload of a command."""
    new = NEW.get(command, ())
    name, about = command.__name__, (command.__doc__ or "").split("\n\n")[0].strip()
    fields = tuple(
        field._replace(
            description=f"{field.description} A random UUID, not one made from a name. Left out: it is made from the commandId."
        )
        if field.name in new
        else field
        for field in fields_of(command, frozenset(new))
    )
    ids = tuple(field.name for field in fields if field.name.endswith("_id") and (field.needed or field.name in new))
    body = input_fields(fields) | {
        field: (annotation, strawberry.field(description=text, default=UNSET))
        for field, (annotation, text) in ENVELOPE.items()
    }
    given = {
        field.name: (UUID | None, strawberry.field(description=f"{field.description.split('.')[0]}.", default=None))
        for field in fields
        if field.name in ids
    }
    return Verb(
        command,
        fields,
        new,
        ids,
        make(strawberry.input, f"{name}Input", body, about=about),
        make(strawberry.type, f"{name}Payload", given, Payload, about=f"What became of it: {about}"),
    )


def mutation(found: Verb) -> Any:
    """This will make the mutation's field: null beside an error, so that the payloads of others in the document are answered."""

    async def resolve(info: Info, input: Any) -> Any:  # noqa: A002 - the schema's word
        done = info.context.done.pop(str(info.path.key), None)
        if isinstance(done, Exception):
            raise done
        return done or await perform(info.context, found, input)

    resolve.__annotations__ = {
        "info": Info,
        "input": Annotated[found.input, strawberry.argument(description="What is asked.")],
        "return": found.payload | None,
    }
    about = (found.command.__doc__ or "").strip()
    return strawberry.mutation(resolver=resolve, description=f"{about} {_for_whom(PERMISSIONS[found.command])}")


async def perform(context: Context, found: Verb, given: Any) -> Payload:
    """This will hand the command to the handlers, in a worker thread if it needs one, and answer with what was recorded or why not."""
    refuse_scope(context)
    command_id = given.command_id or uuid4()
    made = {name: derived_id(command_id, name.removesuffix("_id")) for name in found.new}
    try:
        values = made | values_of(found.fields, given)
        for name, own in made.items():
            if values[name] != own:
                _refuse_named(name, values[name])
    except Rejected as no:
        return found.payload(command_id=command_id, user_errors=[refused(no)])
    issued = Issued(
        command=found.command(**values),
        command_id=command_id,
        member_id=context.viewer.member_id,
        at=datetime.now(UTC),
        occurred_at=given.occurred_at or None,
        expected_version=None if given.expected_version is UNSET else given.expected_version,
    )
    try:
        outcome = await context.resources.handle_at_once(issued, await context.head())
        if outcome is None:
            outcome = await anyio.to_thread.run_sync(
                partial(context.resources.handle, issued), limiter=context.resources.commands, abandon_on_cancel=True
            )
    except Rejected as no:
        if no.code is Code.FORBIDDEN or isinstance(no, Hidden):
            context.note_forbidden(_field_name(found.command))
        return found.payload(command_id=command_id, user_errors=[refused(no)])
    context.recorded = max(context.recorded, outcome.position)
    return found.payload(
        **{name: values[name] for name in found.ids},
        command_id=command_id,
        user_errors=[],
        position=outcome.position,
        version=outcome.version,
        repeated=outcome.repeated,
        receipt=_receipt(outcome),
    )


def _refuse_named(field: str, given: UUID) -> None:
    """This will refuse an id for something new that is made from a name, whoever has it: the ledger so names what it makes and imports.

    It could be guessed, and then taken before its history is imported; and that it is taken would tell that somebody's history was.
    """
    if given.version == NAMED:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"`{field}` is a UUID made from a name (version 5). Give a random one (version 4 or 7), or leave it out.",
            field,
        )


def _receipt(outcome: Outcome) -> Receipt:
    facts = [
        ReceiptedFact(position=Position(position), leaf=leaf.hex())
        for position, leaf in enumerate(outcome.leaves, outcome.first_position)
    ]
    return Receipt(recorded_at=outcome.recorded_at, facts=facts)


def _for_whom(permission: Permission) -> str:
    whom = [*permission.roles, *([f"the {permission.own.lower()}"] if permission.own else [])]
    return f"For {', '.join(whom)}."


def mutation_type(*nouns: type) -> type:
    """This will make the root type of the mutations: one for each command that anybody may issue, and those of `nouns` besides."""
    VERBS.update({_field_name(command): verb(command) for command in PERMISSIONS})
    fields = {name: mutation(found) for name, found in VERBS.items()}
    return strawberry.type(type("Mutation", nouns, fields), description=ABOUT)


def _field_name(command: type[Struct]) -> str:
    name = command.__name__
    return name[0].lower() + name[1:]
