"""A variable that is not there, and what becomes of a mail that lacks it.

What is missing below a variable that is given is empty, at any depth. Of a variable
that is not given the settings decide (`missingVariables`), when something is done with
it: `default` and `is defined` do nothing with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from jinja2 import Undefined
from jinja2.exceptions import UndefinedError

Used = Callable[[str], None]


class Missing(Undefined):
    """Prints as `text`, and is empty otherwise; `used` is told the variable's name."""

    __slots__ = ("_path", "_text", "_used")

    def __init__(self, path: str, text: str, used: Used | None) -> None:
        super().__init__(name=path)
        self._path = path
        self._text = text
        self._used = used

    @property
    def kept(self) -> bool:
        """Whether its placeholder stays, whatever is done with it."""
        return self._text != ""

    @property
    def is_inside(self) -> bool:
        """Whether it is missing in something that is given."""
        return self._path[:1] in ("", ".")

    def use(self) -> str:
        """Take it for what it is; the text that stands in its place."""
        if self._used is not None:
            self._used(self._path.partition(".")[0])
        return self._text

    def below(self, name: object) -> Missing:
        """What is in it, which is missing like itself."""
        path = f"{self._path}.{name}"
        text = f"{{{{ {path} }}}}" if self._text else ""
        return Missing(path, text, self._used)

    def _use_it(self, *_: object) -> Any:
        self.use()
        return self

    def _use_false(self, *_: object) -> Any:
        self.use()
        return False

    __add__ = __radd__ = __sub__ = __rsub__ = _use_it
    __mul__ = __rmul__ = _use_it
    __truediv__ = __rtruediv__ = _use_it
    __floordiv__ = __rfloordiv__ = _use_it
    __mod__ = __rmod__ = _use_it
    __pow__ = __rpow__ = __pos__ = __neg__ = _use_it
    __lt__ = __le__ = __gt__ = __ge__ = _use_false
    __bool__ = _use_false

    def __eq__(self, other: object) -> bool:
        self.use()
        return isinstance(other, Undefined)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(Undefined)

    def __str__(self) -> str:
        return self.use()

    def __len__(self) -> int:
        self.use()
        return 0

    def __iter__(self) -> Iterator[Any]:
        self.use()
        return iter(())

    def __repr__(self) -> str:
        return "Missing"


class Mistake(Undefined):
    """What a template takes for something that there never is, such as super()."""

    __slots__ = ()

    def fail(self) -> NoReturn:
        """Say so."""
        raise UndefinedError(self._undefined_message)
