"""Documents: each text is parsed, measured and validated once, and kept with what was found.

The measures are linear in the document: a fragment is measured once however often it is spread, so that fragments that spread fragments
cost no more to measure than to send. A document that is too large is not validated.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
    specified_rules,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document

from ledger.api.errors import ERRORS_MAX, PARSE_FAILED, VALIDATION_FAILED, refusal

LENGTH_MAX = 16_000
TOKENS_MAX = 1_000
DEPTH_MAX = 12
ALIASES_MAX = 30
DIRECTIVES_MAX = 20
#: Documents that are kept.
KEPT = 512
#: Introspection has a limit of its own among the validation rules, and the standard query is deeper than a page may be.
INTROSPECTION = ("__schema", "__type")


class Prepared(NamedTuple):
    """What is known of a document. With errors it must not be executed."""

    document: DocumentNode | None
    operations: dict[str | None, OperationDefinitionNode]
    errors: tuple[GraphQLError, ...] = ()

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """This will find the operation to run. Raises GraphQLError for a name that is not there, or several and no name."""
        if name is None and len(self.operations) > 1:
            raise refusal(VALIDATION_FAILED, "The document has several operations: say in operationName which to run.")
        found = self.operations.get(name) if name else next(iter(self.operations.values()), None)
        if found is None:
            raise refusal(VALIDATION_FAILED, "The document has no operation of that name.")
        return found


class Size(NamedTuple):
    """What a selection amounts to with its fragments spread out."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0


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
    """This will parse, measure and validate a document, or give what was found for that text before."""
    if len(text) > LENGTH_MAX:
        return _refused(PARSE_FAILED, f"The document has {len(text)} characters; at most {LENGTH_MAX} are allowed.")
    try:
        document = parse(text, max_tokens=TOKENS_MAX)
    except GraphQLSyntaxError as error:
        error.extensions = {"code": PARSE_FAILED}
        return Prepared(None, {}, (error,))
    except RecursionError:
        return _refused(PARSE_FAILED, "The document is nested too deeply.")
    operations = {
        node.name.value if node.name else None: node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    }
    if too_large := _too_large(document):
        return _refused(VALIDATION_FAILED, too_large)
    errors = validate_document(schema._schema, document, tuple(specified_rules))
    for found in errors:
        found.extensions = {**(found.extensions or {}), "code": VALIDATION_FAILED}
    return Prepared(document, operations, tuple(errors[:ERRORS_MAX]))


def _refused(code: str, message: str) -> Prepared:
    return Prepared(None, {}, (refusal(code, message),))


def _too_large(document: DocumentNode) -> str | None:
    """This will say which measure is too large; None: none is."""
    size = measure(document)
    for what, value, most in (
        ("levels deep", size.depth, DEPTH_MAX),
        ("aliases long", size.aliases, ALIASES_MAX),
        ("directives long", size.directives, DIRECTIVES_MAX),
    ):
        if value > most:
            shown = value if value <= TOKENS_MAX else f"more than {TOKENS_MAX}"
            return f"The document is {shown} {what}; at most {most} are allowed."
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

    def of(selection: SelectionSetNode | None) -> Size:
        depth = aliases = directives = 0
        for node in selection.selections if selection else ():
            if isinstance(node, FragmentSpreadNode):
                inner, own = of_fragment(node.name.value), 0
            else:
                inner, own = of(node.selection_set), int(isinstance(node, FieldNode))  # type: ignore[attr-defined]
            if isinstance(node, FieldNode):
                aliases += node.alias is not None
                if node.name.value in INTROSPECTION:
                    inner = inner._replace(depth=0)
            depth = max(depth, inner.depth + own)
            aliases += inner.aliases
            directives += len(node.directives or ()) + inner.directives
        return Size(depth, aliases, directives)

    sizes = [of(node.selection_set) for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    return Size(*(max(column) for column in zip(*sizes, strict=True))) if sizes else Size()
