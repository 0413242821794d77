"""The words of a PDF that Chromium has printed, page by page: enough of the format for that, and no more."""

import re
import zlib

_OBJECT = re.compile(rb"(\d+) 0 obj\s(.*?)\bendobj", re.DOTALL)
_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_SHOWN = re.compile(rb"/(\w+) [\d.]+ Tf|<([0-9A-Fa-f]+)>")


def pages(document: bytes) -> list[str]:
    """This will give the words of each page, in the order in which they were set. Spaces may be missing."""
    objects = {int(number): body for number, body in _OBJECT.findall(document)}
    return [_words(objects, body) for body in objects.values() if re.search(rb"/Type\s*/Page\b", body)]


def _words(objects: dict[int, bytes], page: bytes) -> str:
    fonts = {name: _letters(objects, int(number)) for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", page)}
    found, letters = [], dict[int, str]()
    for name, glyphs in _SHOWN.findall(_content(objects, _reference(page, b"Contents"))):
        if name:
            letters = fonts[name]
        else:
            found += [letters.get(int(glyphs[at : at + 4], 16), "\ufffd") for at in range(0, len(glyphs), 4)]
    return "".join(found)


def _letters(objects: dict[int, bytes], font: int) -> dict[int, str]:
    """This will give what each glyph of a font stands for."""
    table = _content(objects, _reference(objects[font], b"ToUnicode"))
    found: dict[int, str] = {}
    for block in re.findall(rb"beginbfchar(.*?)endbfchar", table, re.DOTALL):
        found |= {int(glyph, 16): _text(text) for glyph, text in re.findall(rb"<(\w+)> <(\w+)>", block)}
    for block in re.findall(rb"beginbfrange(.*?)endbfrange", table, re.DOTALL):
        for first, last, text in re.findall(rb"<(\w+)> <(\w+)> <(\w+)>", block):
            begin = int(text, 16)
            found |= {int(first, 16) + n: chr(begin + n) for n in range(int(last, 16) - int(first, 16) + 1)}
    return found


def _text(figures: bytes) -> str:
    return bytes.fromhex(figures.decode()).decode("utf-16-be")


def _reference(body: bytes, name: bytes) -> int:
    found = re.search(rb"/" + name + rb" (\d+) 0 R", body)
    assert found, name
    return int(found[1])


def _content(objects: dict[int, bytes], number: int) -> bytes:
    found = _STREAM.search(objects[number])
    assert found, number
    return zlib.decompress(found[1]) if b"/FlateDecode" in objects[number] else found[1]
