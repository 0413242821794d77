"""Documents: each text is parsed, measured and validated once, and kept with what was found.

The measures are linear in the document: a fragment is measured once however often it is spread, so that fragments that spread fragments
cost no more to measure than to send. A document that is too large is not validated.
"""

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import strawberry
from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSyntaxError,
    InlineFragmentNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValuesOfCorrectTypeRule,
    VariableNode,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from ledger.api.compiled import Plans
from ledger.api.errors import ERRORS_MAX, PARSE_FAILED, VALIDATION_FAILED, refusal
from ledger.api.scalars import PlacedValues

LENGTH_MAX = 16_000
TOKENS_MAX = 1_000
DEPTH_MAX = 12
ALIASES_MAX = 30
DIRECTIVES_MAX = 20
#: Items of one list, in a document or in variables.
ARRAY_MAX = 250
#: Fields of one name side by side, which validation compares each with each.
REPEATS_MAX = 30
#: Documents that are kept.
KEPT = 512
#: Introspection has a limit of its own among the validation rules, and the standard query is deeper than a page may be.
INTROSPECTION = ("__schema", "__type")
SWITCHES = ("skip", "include")
#: One of them is our own in place of graphql-core's.
_STANDARD = (PlacedValues if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules)
RULES = (*_STANDARD, MaybeNullValidationRule, OneOfInputValidationRule)


class Prepared(NamedTuple):
    """What is known of a document. With errors it must not be executed."""

    document: DocumentNode | None
    operations: dict[str | None, OperationDefinitionNode]
    errors: tuple[GraphQLError, ...] = ()
    #: SHA-256 of its text, hexadecimal.
    sha256: str = ""
    #: Does it ask for the schema?
    introspects: bool = False
    #: How its selections are completed fast.
    plans: Plans = Plans()
    fragments: dict[str, FragmentDefinitionNode] = {}  # noqa: RUF012
    #: The root fields of the operations that were run, by the node's identity.
    named: dict[int, frozenset[str]] = {}  # noqa: RUF012

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """This will find the operation to run. Raises GraphQLError for a name that is not there, or several and no name."""
        if name is None and len(self.operations) > 1:
            raise refusal(VALIDATION_FAILED, "The document has several operations: say in operationName which to run.")
        found = self.operations.get(name) if name else next(iter(self.operations.values()), None)
        if found is None:
            raise refusal(VALIDATION_FAILED, "The document has no operation of that name.")
        return found

    def roots(self, operation: OperationDefinitionNode) -> frozenset[str]:
        """This will name the root fields that an operation selects."""
        found = self.named.get(id(operation))
        if found is None:
            found = self.named[id(operation)] = frozenset(self._names(operation.selection_set, set()))
        return found

    def _names(self, selection: SelectionSetNode, seen: set[str]) -> Iterator[str]:
        for node in selection.selections:
            if isinstance(node, FieldNode):
                yield node.name.value
            elif isinstance(node, InlineFragmentNode):
                yield from self._names(node.selection_set, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                yield from self._names(self.fragments[node.name.value].selection_set, seen)


class Size(NamedTuple):
    """What a selection amounts to with its fragments spread out."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    #: The most fields of one name side by side, and items of one list.
    repeats: int = 0
    items: int = 0


class PreparedDocuments(SchemaExtension):
    """Hands strawberry the document as it was prepared, so that it neither parses nor validates again."""

    def on_operation(self) -> Iterator[None]:
        """This will put the prepared document in place."""
        context = self.execution_context
        found = prepare(context.schema, context.query or "")
        context.graphql_document = found.document
        context.pre_execution_errors = list(found.errors)
        yield


@lru_cache(maxsize=KEPT)
def prepare(schema: strawberry.Schema, text: str) -> Prepared:
    """This will parse, measure and validate a document, or give what was found for that text before. Its errors suggest nothing."""
    if len(text) > LENGTH_MAX:
        return _refused(PARSE_FAILED, f"The document has {len(text)} characters; at most {LENGTH_MAX} are allowed.")
    try:
        document = parse(text, max_tokens=TOKENS_MAX)
    except GraphQLSyntaxError as error:
        error.extensions = {"code": PARSE_FAILED}
        return Prepared(None, {}, (error,))
    except (RecursionError, ValueError):  # too long a number is a ValueError
        return _refused(PARSE_FAILED, "The document is nested too deeply, or has too long a number.")
    operations = {
        node.name.value if node.name else None: node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    }
    found = Found()
    visit(document, found)
    if too_large := _too_large(measure(document)._replace(items=found.items)):
        return _refused(VALIDATION_FAILED, too_large)
    return Prepared(
        document,
        operations,
        _invalid(schema, document, hide_suggestions=True),
        sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        found.introspects,
        Plans(frozenset(found.switches)),
        {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)},
        {},
    )


@lru_cache(maxsize=KEPT)
def suggested(schema: strawberry.Schema, text: str) -> tuple[GraphQLError, ...]:
    """This will give a document's errors for one who may know the schema: with suggestions."""
    prepared = prepare(schema, text)
    if prepared.document is None:
        return prepared.errors
    return _invalid(schema, prepared.document, hide_suggestions=False)


def _invalid(schema: strawberry.Schema, document: DocumentNode, *, hide_suggestions: bool) -> tuple[GraphQLError, ...]:
    try:
        errors = validate(schema._schema, document, RULES, ERRORS_MAX, hide_suggestions=hide_suggestions)
    except (RecursionError, ValueError):
        return (refusal(VALIDATION_FAILED, "The document is nested too deeply, or has too long a number."),)
    for found in errors:
        found.extensions = {**(found.extensions or {}), "code": VALIDATION_FAILED}
    return tuple(errors[:ERRORS_MAX])


class Found(Visitor):
    """What one walk over a document finds."""

    def __init__(self) -> None:
        super().__init__()
        self.introspects = False
        #: The variables that decide what is selected.
        self.switches: set[str] = set()
        #: The longest list.
        self.items = 0

    def enter_field(self, node: FieldNode, *_: object) -> None:
        """This will notice introspection."""
        self.introspects |= node.name.value in INTROSPECTION

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        """This will note the variable that a directive looks at."""
        if node.name.value in SWITCHES:
            self.switches |= {
                one.value.name.value for one in node.arguments or () if isinstance(one.value, VariableNode)
            }

    def enter_list_value(self, node: ListValueNode, *_: object) -> None:
        """This will measure a list."""
        self.items = max(self.items, len(node.values))


def _refused(code: str, message: str) -> Prepared:
    return Prepared(None, {}, (refusal(code, message),))


def _too_large(size: Size) -> str | None:
    """This will say which measure is too large; None: none is."""
    for begin, what, value, most in (
        ("is", "levels deep", size.depth, DEPTH_MAX),
        ("has", "aliases", size.aliases, ALIASES_MAX),
        ("has", "directives", size.directives, DIRECTIVES_MAX),
        ("has", "fields of one name side by side", size.repeats, REPEATS_MAX),
        ("has", "items in one list", size.items, ARRAY_MAX),
    ):
        if value > most:
            shown = value if value <= TOKENS_MAX else f"more than {TOKENS_MAX}"
            return f"The document {begin} {shown} {what}; at most {most} are allowed."
    return None


def measure(document: DocumentNode) -> Size:
    """This will give the size of the largest operation: the levels of its fields, and its aliases and directives, fragments spread out."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    known: dict[str, Size] = {}

    def of_fragment(name: str) -> Size:
        if name not in known:
            known[name] = Size()  # while it is open: a fragment that spreads itself is refused by validation
            node = fragments.get(name)
            known[name] = of(node.selection_set) if node else Size()
        return known[name]

    def of(selection: SelectionSetNode | None, around: Counter[str] | None = None) -> Size:
        depth = aliases = directives = repeats = 0
        beside: Counter[str] = Counter() if around is None else around
        for node in selection.selections if selection else ():
            if isinstance(node, FragmentSpreadNode):
                inner, own = of_fragment(node.name.value), 0
            elif isinstance(node, InlineFragmentNode):
                inner, own = of(node.selection_set, beside), 0
                beside["..."] += 1
            else:
                inner, own = of(node.selection_set), 1  # type: ignore[attr-defined]
            if isinstance(node, FieldNode):
                aliases += node.alias is not None
                beside[node.alias.value if node.alias else node.name.value] += 1
                if node.name.value in INTROSPECTION:
                    inner = inner._replace(depth=0)
            depth = max(depth, inner.depth + own)
            repeats = max(repeats, inner.repeats)
            aliases += inner.aliases
            directives += len(node.directives or ()) + inner.directives
        return Size(depth, aliases, directives, max(repeats, *beside.values(), 0))

    sizes = [of(node.selection_set) for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    return Size(*(max(column) for column in zip(*sizes, strict=True))) if sizes else Size()
