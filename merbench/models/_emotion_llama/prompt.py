"""Instructions around an utterance: templates are configuration, and one without its marks is refused."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from merbench.models._emotion_llama.config import Layout

VIDEO, FEATURE, SENTENCE, LABELS = "<VideoHere>", "<FeatureHere>", "{sentence}", "{labels}"
_MARKS = (VIDEO, FEATURE, SENTENCE, LABELS)
_FILE = Path(__file__).with_name("prompts.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """An instruction with its four marks; `labels` is what the template was published with, if it was."""

    name: str
    template: str
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for mark in _MARKS:
            count = self.template.count(mark)
            if count != 1:
                raise MerbenchError(
                    f"prompt '{self.name}' has {mark} {count} times",
                    fix=f"write each of {' '.join(_MARKS)} once",
                )

    def pieces(self, labels: Sequence[str], layout: Layout) -> list[str]:
        """Return text and marks in turn, the labels written out: text stands at even places.

        In the joined layout ``<FeatureHere>`` is no mark but text, as in the paper's evaluation code.
        """
        marks = (VIDEO, FEATURE, SENTENCE) if layout == "split" else (VIDEO, SENTENCE)
        written = self.template.replace(LABELS, ", ".join(labels))
        return re.split("(" + "|".join(map(re.escape, marks)) + ")", written)


def prompt_names() -> tuple[str, ...]:
    """Return the names of the committed templates."""
    return tuple(_committed())


def load_prompt(name: str) -> Prompt:
    """Return a committed template by its name, or the one in a file.

    Args:
        name: one of `prompt_names`, or the path of a ``.txt`` that is a template or of a ``.toml`` with
            ``template`` and, optionally, ``labels``.

    Raises:
        MerbenchError: there is no such template or file, or it lacks one of its marks.
    """
    if name in _committed():
        return _prompt(name, _committed()[name])
    path = Path(name)
    if path.suffix not in (".txt", ".toml"):
        raise MerbenchError(
            f"there is no prompt '{name}'", fix=f"choose {', '.join(prompt_names())} or a .txt or .toml file"
        )
    try:
        text = path.read_text(encoding="utf-8")
        return _prompt(
            path.name, tomllib.loads(text) if path.suffix == ".toml" else {"template": text.strip()}
        )
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MerbenchError(f"prompt '{name}' cannot be read ({error})", fix="give a UTF-8 file") from error


def _prompt(name: str, table: Mapping[str, Any]) -> Prompt:
    template, labels = table.get("template"), table.get("labels", [])
    if not isinstance(template, str) or not all(isinstance(label, str) for label in labels):
        raise MerbenchError(f"prompt '{name}' has no template", fix='write template = "..." in its file')
    return Prompt(name=name, template=template, labels=tuple(labels))


@cache
def _committed() -> dict[str, dict[str, Any]]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))
