"""English words that are mistaken for each other, from `_english.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

_ARTICLES: dict[str, tuple[str, ...]] = {"a": ("an", "the", ""), "an": ("a", "the", ""), "the": ("a", "")}


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


@cache
def function_words() -> frozenset[str]:
    """Return short words without stress, which recognisers drop first."""
    return frozenset(_tables()["function_words"].split())


@cache
def homophones() -> dict[str, tuple[str, ...]]:
    """Return, by word, the words and phrases that sound like it."""
    return _others(_tables()["homophones"])


@cache
def wrong_forms() -> dict[str, tuple[str, ...]]:
    """Return, by word, the forms that would be wrong: agreement, tense, case, prepositions and articles.

    An empty form is the article left out.
    """
    tables = _tables()
    found = _others([*tables["agreement"], *tables["tense"], *tables["case"]])
    prepositions = tables["prepositions"].split()
    return found | _ARTICLES | {p: tuple(q for q in prepositions if q != p) for p in prepositions}


def _others(groups: list[str]) -> dict[str, tuple[str, ...]]:
    """Return, for every single word of the groups, the other members of those that it is in."""
    found: dict[str, tuple[str, ...]] = {}
    for group in groups:
        members = group.split(", ")
        for member in members:
            if " " not in member:
                others = (*found.get(member.lower(), ()), *(m for m in members if m != member))
                found[member.lower()] = tuple(dict.fromkeys(others))
    return found


def like(word: str, instead: str) -> str:
    """Return `instead` with the capitals of `word`."""
    if word in ("I", "i") or instead == "I":
        return instead
    if len(word) > 1 and word.isupper():
        return instead.upper()
    return instead[:1].upper() + instead[1:] if word[:1].isupper() else instead
