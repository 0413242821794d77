"""Trusted documents: those of a folder, by the SHA-256 of their text or their file's name. A token without free form runs no other."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import strawberry

from ledger.api.context import Viewer
from ledger.api.documents import prepare
from ledger.api.errors import bad_input, forbidden, refusal
from ledger.directory.scopes import Scope

PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
ENDING = ".graphql"
_HASH = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


class DocumentsInvalid(Exception):  # noqa: N818 - named for what happened
    """The folder of trusted documents can't be used; each line names a file and what is wrong with it."""


class TrustedDocuments:
    """The allow-list."""

    def __init__(self, by_name: dict[str, str] | None = None) -> None:
        self.by_name = by_name or {}
        # A client hashes the document as it has it, which may lack the file's last line end.
        self.by_hash = {_sha256(each): text for text in self.by_name.values() for each in (text, text.strip())}

    @classmethod
    def read(cls, folder: Path, schema: strawberry.Schema) -> Self:
        """This will read a folder with everything below it. Raises DocumentsInvalid unless every document can be run."""
        faults, found = [], {}
        if not folder.is_dir():
            raise DocumentsInvalid(f"{folder} is no folder.")
        for path in sorted(folder.rglob(f"*{ENDING}")):
            try:
                text = path.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                faults.append(f"{path}: {error}.")
                continue
            faults += [f"{path}: {error.message}" for error in prepare(schema, text).errors]
            if path.stem in found:
                faults.append(f"{path}: another document has this name; the name is how a client asks for it.")
            found[path.stem] = text
        if faults:
            raise DocumentsInvalid("\n".join(faults))
        return cls(found)

    def chosen(
        self, text: str | None, document_id: str | None, extensions: dict[str, Any] | None, viewer: Viewer
    ) -> str:
        """This will give the document that is meant: by its id, by its hash, or as it was sent.

        Raises the errors PERSISTED_QUERY_NOT_FOUND, FORBIDDEN for an untrusted one without the scope for free form, and BAD_USER_INPUT.
        """
        wanted = document_id or _hash_of(extensions)
        if wanted is not None and not text:
            return self._trusted(wanted)
        if not text:
            raise bad_input("The request has no `query`: send a GraphQL document in it, or a `documentId`.")
        if wanted is None and Scope.FREE_FORM in viewer.scopes:
            return text
        hashed = _sha256(text)
        if wanted is not None and (found := _HASH.fullmatch(wanted)) and found[1] != hashed:
            raise bad_input("The hash is not that of the document: leave one of them out.")
        if Scope.FREE_FORM not in viewer.scopes and hashed not in self.by_hash:
            raise forbidden(
                "This token runs trusted documents only: send the `documentId` of one, or use a token with the scope graphql:free-form."
            )
        return text

    def _trusted(self, wanted: str) -> str:
        found = _HASH.fullmatch(wanted)
        text = self.by_hash.get(found[1]) if found else self.by_name.get(wanted)
        if text is None:
            raise refusal(
                PERSISTED_QUERY_NOT_FOUND, "No trusted document has this id or hash. Documents are not added by asking."
            )
        return text


def _hash_of(extensions: dict[str, Any] | None) -> str | None:
    persisted = (extensions or {}).get("persistedQuery")
    if persisted is None:
        return None
    found = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(found, str) or not _HASH.fullmatch(found):
        raise bad_input("extensions.persistedQuery.sha256Hash must be 64 hexadecimal digits, in small letters.")
    return found


def _sha256(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
