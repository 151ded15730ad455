"""Filters that make a text of a text, each bounded before it begins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2.exceptions import TemplateRuntimeError
from jinja2.filters import do_filesizeformat, do_title, do_wordwrap
from jinja2.utils import htmlsafe_json_dumps, urlize
from markupsafe import Markup

from relay.model.replies import not_a_link
from relay.templates.jinja.missing import Missing
from relay.templates.jinja.operators import escaped, formatted
from relay.templates.jinja.pieces import Safe, SafeText
from relay.templates.places import ALLOWED_LINKS, is_harmless

if TYPE_CHECKING:
    from relay.templates.jinja.sandbox import Sandbox

_TAG = re.compile(r"<[^<>]*+>")
_WORD = re.compile(r"\w+")
_LINE_END = re.compile(r"\r\n|\r|\n")
_NO_KEY = re.compile(r"[\s/>=\"'<\x00]")
# Longer words hold no link that anybody follows, and are dear to look at.
_LONGEST_WORD = 2000
_LONG = re.compile(rf"\S{{{_LONGEST_WORD},}}")


def _like(text: str, made: str) -> str:
    """`made` as HTML if it was made of HTML."""
    return Markup(made) if isinstance(text, Markup) else made  # noqa: S704


def _bare(text: str) -> str:
    return str.__str__(text)


def upper(env: Sandbox, value: Any) -> str:
    text = env.run.text(value)
    return _like(text, _bare(text).upper())


def lower(env: Sandbox, value: Any) -> str:
    text = env.run.text(value)
    return _like(text, _bare(text).lower())


def capitalize(env: Sandbox, value: Any) -> str:
    text = env.run.text(value)
    return _like(text, _bare(text).capitalize())


def title(env: Sandbox, value: Any) -> str:
    text = env.run.text(value)
    env.run.work(len(text) * 30)
    return _like(text, do_title(_bare(text)))


def trim(env: Sandbox, value: Any, chars: str | None = None) -> str:
    text = env.run.text(value)
    return _like(text, _bare(text).strip(chars))


def string(env: Sandbox, value: Any) -> str:
    text = env.run.text(value)
    return _like(text, _bare(text))


def escape(env: Sandbox, value: Any) -> str:
    return Markup(escaped(env.run.text(value)))  # noqa: S704


def forceescape(env: Sandbox, value: Any) -> str:
    return Markup(escaped(_bare(env.run.text(value))))  # noqa: S704


def safe(env: Sandbox, value: Any) -> str:
    text = env.run.text(value)
    return Safe(_bare(text)) if env.html else SafeText(_bare(text))


def striptags(env: Sandbox, value: Any) -> str:
    """Without tags and comments, blanks run together."""
    text = _bare(env.run.text(value))
    env.run.work(len(text) * 10)
    kept: list[str] = []
    end = 0
    while (start := text.find("<!--", end)) >= 0:
        kept.append(text[end:start])
        closing = text.find("-->", start)
        end = closing + 3 if closing >= 0 else len(text)
    kept.append(text[end:])
    return unescape(" ".join(_TAG.sub("", "".join(kept)).split()))


def center(env: Sandbox, value: Any, width: int = 80) -> str:
    text = env.run.text(value)
    env.run.size(width)
    return _like(text, _bare(text).center(width))


def indent(
    env: Sandbox,
    value: Any,
    width: int | str = 4,
    first: bool = False,
    blank: bool = False,
) -> str:
    """Each line but the first behind `width` blanks, or behind a text."""
    text = env.run.text(value)
    if isinstance(width, int):
        env.run.size(width)
        before = " " * width
    else:
        before = escaped(width) if isinstance(text, Markup) else _bare(width)
    lines = _LINE_END.sub("\n", _bare(text)).split("\n")
    env.run.size(len(text) + len(lines) * len(before))
    made = [
        before + line if (number or first) and (line or blank) else line
        for number, line in enumerate(lines)
    ]
    return _like(text, "\n".join(made))


def replace(
    env: Sandbox, value: Any, old: Any, new: Any, count: int | None = None
) -> str:
    run = env.run
    text, old, new = (run.text(each) for each in (value, old, new))
    html = env.html and any(isinstance(each, Markup) for each in (text, old, new))
    if html:
        whole, new = escaped(text), escaped(new)
        old = _bare(old)
    else:
        whole, old, new = _bare(text), _bare(old), _bare(new)
    run.work(len(whole))
    found = whole.count(old) if count is None else min(whole.count(old), count)
    run.size(len(whole) + max(found, 0) * (len(new) - len(old)))
    made = whole.replace(old, new, -1 if count is None else count)
    return Markup(made) if html else made  # noqa: S704 - escaped above


def truncate(
    env: Sandbox,
    value: Any,
    length: int = 255,
    killwords: bool = False,
    end: str = "...",
    leeway: int = 5,
) -> str:
    text = env.run.text(value)
    if length < len(end):
        raise TemplateRuntimeError("truncate: shorter than its end")
    if len(text) <= length + leeway:
        return text
    whole = _bare(text)[: length - len(end)]
    if not killwords:
        whole = whole.rsplit(" ", 1)[0]
    ending = escaped(end) if isinstance(text, Markup) else _bare(end)
    return _like(text, whole + ending)


def wordwrap(
    env: Sandbox,
    value: Any,
    width: int = 79,
    break_long_words: bool = True,
    wrapstring: str | None = None,
    break_on_hyphens: bool = True,
) -> str:
    text = env.run.text(value)
    if width < 1:
        raise TemplateRuntimeError("wordwrap: no width")
    between = "\n" if wrapstring is None else _bare(wrapstring)
    pieces = len(text) // width * 2 + len(text.split(None)) + 1
    env.run.size(len(text) + min(pieces, len(text)) * len(between))
    env.run.work(len(text) * 300)
    environment: Any = env
    made = do_wordwrap(
        environment,
        _without_long_words(_bare(text), width),
        width,
        break_long_words,
        between,
        break_on_hyphens,
    )
    return _like(text, made)


def _without_long_words(text: str, width: int) -> str:
    """The same for whoever cuts long words, which takes the square of their length."""
    if all(len(word) <= _LONGEST_WORD for word in text.split()):
        return text
    return _LONG.sub(
        lambda match: " ".join(
            match[0][at : at + width] for at in range(0, len(match[0]), width)
        ),
        text,
    )


def wordcount(env: Sandbox, value: Any) -> int:
    text = _bare(env.run.text(value))
    env.run.work(len(text) * 10)
    return sum(1 for _ in _WORD.finditer(text))


def urlencode(env: Sandbox, value: Any) -> str:
    """A text, or the names and values of an object, as a link has them."""
    run = env.run
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list | tuple):
        pairs = list(value)
    else:
        return _quoted(run.text(value), "/")
    run.work(len(pairs) * 100)
    return "&".join(
        f"{_quoted(run.text(name), '')}={_quoted(run.text(inner), '')}"
        for name, inner in pairs
    )


def _quoted(text: str, plain: str) -> str:
    return quote(_bare(text).encode("utf-8", "replace"), safe=plain)


def links(
    env: Sandbox,
    value: Any,
    trim_url_limit: int | None = None,
    nofollow: bool = False,
    target: str | None = None,
    rel: str | None = None,
    extra_schemes: list[str] | None = None,
) -> str:
    """What looks like a link, as one. Links to other than the web are left out."""
    text = env.run.text(value)
    words = _bare(text).split()
    if any(len(word) > _LONGEST_WORD for word in words):
        return Markup(escaped(text))  # noqa: S704
    names = " ".join([rel or "", "nofollow" if nofollow else "", "noopener"])
    rest = len(names) + len(target or "") + 64
    env.run.size(2 * len(text) + min(len(words), len(text) // 4) * rest)
    env.run.work(len(words) * 2000)
    made = urlize(
        _bare(text) if not isinstance(text, Markup) else unescape(_bare(text)),
        trim_url_limit=trim_url_limit,
        rel=" ".join(sorted(set(names.split()))),
        target=target,
    )
    return Markup(made)  # noqa: S704 - urlize escapes


def format_(env: Sandbox, value: Any, *args: Any, **kwargs: Any) -> str:
    """A text with % in it, filled."""
    if args and kwargs:
        raise TypeError("names or positions, not both")
    return formatted(env.run, env.run.text(value), kwargs or args)


def tojson(env: Sandbox, value: Any, indent: int | None = None) -> str:
    env.run.weigh(value)
    if indent is not None and not 0 <= indent <= 8:
        raise TemplateRuntimeError("tojson: indents by at most 8")
    made = htmlsafe_json_dumps(value, sort_keys=True, indent=indent)
    return made if env.html else _bare(made)


def xmlattr(env: Sandbox, value: Mapping[str, Any], autospace: bool = True) -> str:
    """An object as attributes of a tag; links lead to the web or to mail."""
    made = []
    for name, inner in dict(value).items():
        if inner is None or isinstance(inner, Missing):
            continue
        if _NO_KEY.search(name) or name.lower().startswith("on"):
            raise ValueError("no name of an attribute")
        text = env.run.text(inner)
        allowed = ALLOWED_LINKS.get(name.lower())
        if allowed is not None and not is_harmless(_bare(text), allowed):
            raise not_a_link(name, allowed)
        made.append(f'{name}="{escaped(text)}"')
    joined = " ".join(made)
    env.run.size(len(joined))
    return Markup(f" {joined}" if autospace and joined else joined)  # noqa: S704


def filesizeformat(env: Sandbox, value: Any, binary: bool = False) -> str:
    return do_filesizeformat(float(value), binary)
