"""How several models are written as one: ``rule(MEMBER; MEMBER; key=value)``.

A member is anything that ``--model`` takes, another such call included. What holds a semicolon, a
parenthesis or an equals sign where it would be misread goes into quotes, ``"..."`` or ``'...'``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from merbench.errors import MerbenchError

_CALL = re.compile(r"\s*(?P<rule>[A-Za-z]\w*)\s*\((?P<inside>.*)\)\s*", re.DOTALL)
_BEGUN = re.compile(r"\s*(mean|weighted|vote|router|only)\s*\(")
_OPTION = re.compile(r"(?P<key>[a-z]+)=(?P<value>.*)", re.DOTALL)
_QUOTES = ("'", '"')
_HOW = "write rule(MODEL; MODEL; key=value)"


@dataclass(frozen=True, slots=True)
class Call:
    """A rule, the specs of its members in order, and its options as typed."""

    rule: str
    members: tuple[str, ...]
    options: dict[str, str]


def read_call(spec: str) -> Call | None:
    """Return what `spec` calls, or ``None`` when it is the name of one model.

    Raises:
        MerbenchError: parentheses or quotes are not closed, a place is empty, or an option occurs twice.
    """
    match = _CALL.fullmatch(spec)
    if match is None:
        if _BEGUN.match(spec):
            raise _unpaired("parentheses", spec)
        return None
    members: list[str] = []
    options: dict[str, str] = {}
    for part in _parts(match["inside"], spec):
        option = _OPTION.fullmatch(part)
        if not part:
            raise MerbenchError(f"'{spec}' has an empty place", fix=_HOW)
        if option is None:
            members.append(_unquoted(part, spec))
        elif option["key"] in options:
            raise MerbenchError(f"'{spec}' gives {option['key']} twice", fix="give it once")
        else:
            options[option["key"]] = _unquoted(option["value"].strip(), spec)
    return Call(match["rule"], tuple(members), options)


def _parts(inside: str, spec: str) -> list[str]:
    """Split at the semicolons that are neither in quotes nor in the parentheses of a member."""
    parts, text, depth, quote = [], "", 0, ""
    for char in inside:
        if quote:
            quote = "" if char == quote else quote
        elif char in _QUOTES and text.rstrip()[-1:] in ("", "(", ";", "="):
            quote = char
        elif char == ";" and depth == 0:
            parts.append(text.strip())
            text = ""
            continue
        else:
            depth += (char == "(") - (char == ")")
        text += char
        if depth < 0:
            break
    if quote or depth:
        raise _unpaired("quotes" if quote else "parentheses", spec)
    return [*parts, text.strip()]


def _unpaired(what: str, spec: str) -> MerbenchError:
    return MerbenchError(f"the {what} in '{spec}' are not in pairs", fix=f"close each of them; {_HOW}")


def _unquoted(part: str, spec: str) -> str:
    if not part.startswith(_QUOTES):
        return part
    inner, quote = part[1:-1], part[0]
    if len(part) < 2 or part[-1] != quote or quote in inner:
        raise MerbenchError(
            f"{part} in '{spec}' is not one quoted text",
            fix="quote the whole member, with the other kind of quotes if it holds this one",
        )
    return inner
