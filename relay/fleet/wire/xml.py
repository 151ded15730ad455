"""XML as S3 answers with it: elements, texts, nothing that could name anything else."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

MOST_DEPTH = 20  # S3's answers have 6
MOST_ELEMENTS = 50_000  # a list of a thousand objects has 10,000


@dataclass(slots=True)
class Element:
    """An element; its name is without a prefix."""

    name: str
    text: str = ""
    inner: list[Element] = field(default_factory=list)

    def all(self, name: str) -> list[Element]:
        """The elements in it of that name."""
        return [one for one in self.inner if one.name == name]

    def first(self, name: str) -> Element:
        """The first element in it of that name; else an empty one."""
        return next((one for one in self.inner if one.name == name), Element(name))

    def said(self, name: str) -> str:
        """The text of the first element of that name."""
        return self.first(name).text


def read(body: bytes) -> Element:
    """Read a document. Raises ValueError for what none of S3's is.

    A document type is refused: entities are declared there, and might grow without end.
    """
    try:
        return _Reader().read(body)
    except expat.ExpatError as error:
        raise ValueError(f"no XML: {error}") from error


class _Reader:
    def __init__(self) -> None:
        self._open: list[Element] = [Element("")]
        self._texts: list[list[str]] = [[]]
        self._elements = 0

    def read(self, body: bytes) -> Element:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._texted
        parser.Parse(body, True)
        return self._open[0].inner[0]

    def _doctype(self, *_: object) -> None:
        raise ValueError("XML with a document type")

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) > MOST_DEPTH or self._elements > MOST_ELEMENTS:
            raise ValueError("XML that is nested too deep, or too much of it")
        element = Element(name.rpartition(":")[2])
        self._open[-1].inner.append(element)
        self._open.append(element)
        self._texts.append([])

    def _end(self, _: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def _texted(self, text: str) -> None:
        self._texts[-1].append(text)
