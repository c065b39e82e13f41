"""Which of a model's labels means which of a dataset's: a table that anybody can look at.

Words that name the same emotion are matched by their concept (``happy``, ``happiness`` and ``joy``),
never by similarity of spelling. What has no counterpart is said so; it never becomes another class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from merbench.types import JSON

Mode = Literal["strict", "subset", "closed"]
"""What happens when model and dataset do not have the same classes.

``strict`` refuses; ``subset`` scores the samples whose label both share; ``closed`` scores every
sample, and a class that the model cannot answer has recall 0.
"""

# One line per concept: the noun and adjective of psychology (Ekman's six, contempt, and the further
# states of the datasets' own label sets), the codes in the file names of IEMOCAP and CREMA-D.
_CONCEPTS = (
    ("anger", "angry", "ang", "mad"),
    ("disgust", "disgusted", "dis"),
    ("fear", "fearful", "scared", "afraid", "fea"),
    ("happiness", "happy", "joy", "joyful", "hap"),
    ("sadness", "sad"),
    ("surprise", "surprised", "sur"),
    ("neutral", "neutrality", "neu"),
    ("calm", "calmness"),
    ("contempt", "contemptuous"),
    ("excitement", "excited", "exc"),
    ("frustration", "frustrated", "fru"),
    ("boredom", "bored"),
    ("worry", "worried"),
    ("doubt", "doubtful"),
)
_CONCEPT_OF = {word: words[0] for words in _CONCEPTS for word in words}


def _normal(label: str) -> str:
    return " ".join(label.casefold().replace("_", " ").split())


def _concept(label: str) -> str:
    return _CONCEPT_OF.get(_normal(label), _normal(label))


@dataclass(frozen=True)
class LabelMap:
    """The classes that are scored, and where each of a model's labels goes.

    `classes` are dataset labels in the dataset's order. `table` leads from every model label to a
    class, or to ``None``: an answer with that label is out of the set.
    """

    mode: Mode
    classes: tuple[str, ...]
    table: Mapping[str, str | None]

    def read_answer(self, label: str) -> str | None:
        """Return the class that a parsed text answer names, ``None`` when it is out of the set."""
        found = _counterparts(label, self.classes)
        return found[0] if len(found) == 1 else None

    def read_logits(
        self, logits: npt.NDArray[np.floating]
    ) -> tuple[list[str], npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
        """Turn logits [N, C_model], in the order of `table`, into answers.

        The probabilities (softmax) of model labels that go to one class add up, and the greatest
        sum wins; a label out of the set competes on its own.

        Returns:
            The answer per row (a class, or the model's own label when out of the set), whether it is
            one of `classes` [N], and the probabilities [N, C] of `classes`, float32. A row sums to
            less than 1 by what the model gave to labels out of the set.
        """
        shifted = np.asarray(logits, dtype=np.float64)
        shifted = np.exp(shifted - shifted.max(axis=1, keepdims=True))
        shifted /= shifted.sum(axis=1, keepdims=True)
        answers = (*self.classes, *(label for label, target in self.table.items() if target is None))
        merged = np.zeros((len(shifted), len(answers)))
        for j, (label, target) in enumerate(self.table.items()):
            merged[:, answers.index(target or label)] += shifted[:, j]
        best = merged.argmax(axis=1)
        in_set = best < len(self.classes)
        return [answers[i] for i in best], in_set, merged[:, : len(self.classes)].astype(np.float32)

    def to_json(self) -> dict[str, JSON]:
        """Return the map as it enters a result."""
        return {"mode": self.mode, "classes": list(self.classes), "table": dict(self.table)}


def map_labels(model_labels: Sequence[str], dataset_labels: Sequence[str], mode: Mode) -> LabelMap:
    """Match a model's labels with a dataset's.

    The same spelling (but for case and underscores) goes first, then the same concept.

    Raises:
        MerbenchError: a label occurs twice; one could mean two of the dataset's; nothing is shared; or,
            with ``strict``, one has no counterpart on the other side.
    """
    if mode not in get_args(Mode):
        raise MerbenchError(f"--labels cannot be '{mode}'", fix=f"write {', '.join(get_args(Mode))}")
    for owner, labels in (("model", model_labels), ("dataset", dataset_labels)):
        twice = sorted({label for label in labels if list(labels).count(label) > 1})
        if twice:
            raise MerbenchError(f"the {owner} lists the label '{twice[0]}' twice", fix="list each label once")
    table = {label: counterpart(label, dataset_labels) for label in model_labels}
    reached = set(table.values())
    shared = tuple(label for label in dataset_labels if label in reached)
    if not shared:
        raise MerbenchError(
            f"the model's labels ({', '.join(model_labels)}) and the dataset's ({', '.join(dataset_labels)}) "
            "have nothing in common",
            fix="choose another model or dataset, or rename the labels (an ONNX model: in [labels])",
        )
    unknown = [label for label, target in table.items() if target is None]
    unreached = [label for label in dataset_labels if label not in reached]
    if mode == "strict" and (unknown or unreached):
        parts = []
        if unknown:
            parts.append(f"the dataset has nothing for the model's {', '.join(unknown)}")
        if unreached:
            parts.append(f"the model cannot answer the dataset's {', '.join(unreached)}")
        raise MerbenchError(
            " and ".join(parts),
            fix=f"--labels subset scores only the {len(shared)} classes that both have, "
            "--labels closed scores all and counts what cannot be answered as recall 0",
        )
    return LabelMap(mode, tuple(dataset_labels) if mode == "closed" else shared, table)


def _counterparts(label: str, targets: Sequence[str]) -> list[str]:
    """Return the targets that `label` means: of the same spelling, else of the same concept."""
    for form in (str, _normal, _concept):
        found = [target for target in targets if form(target) == form(label)]
        if found:
            return found
    return []


def counterpart(label: str, targets: Sequence[str]) -> str | None:
    """Return the one of `targets` that `label` means, ``None`` when there is none.

    Raises:
        MerbenchError: it could mean several.
    """
    found = _counterparts(label, targets)
    if len(found) > 1:
        raise MerbenchError(
            f"the model's '{label}' could be the dataset's {' or '.join(found)}",
            fix="rename it in the model's label list",
        )
    return found[0] if found else None
