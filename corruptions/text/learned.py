"""Words that a language model would sooner have written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path  # noqa: TC003 (the types of options are read at run time)
from typing import TYPE_CHECKING, Any, ClassVar

from corruptions._checkpoints import checkpoint_folder, checkpoint_hash
from corruptions.text._edits import Site, SiteCorruption, count_words, words
from merbench.corruption import Measure
from merbench.errors import MerbenchError
from merbench.options import located, option, resource

if TYPE_CHECKING:
    from corruptions.text._edits import Span
    from corruptions.text._masked_lm import MaskedLM


@dataclass(frozen=True)
class Learned(SiteCorruption):
    """Words replaced by what a masked language model finds likely there: fluent, and not what was said.

    Each word is masked by itself in the clean text; the draw chooses among the `top` likeliest other words
    of the same script, all equally likely. So a higher severity keeps every replacement of a lower one.
    Which words are replaced does not depend on the model. A word for which the model knows no other stays.
    """

    version = 1
    exactness = "model"
    libraries = ("tokenizers", "torch", "transformers")
    severity: ClassVar = {"rate": (0.05, 0.10, 0.20, 0.30, 0.40)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.05)
    label_validity = ("preserved", "uncertain", "uncertain", "changed", "changed")
    validity_source = (
        "Kobayashi: Contextual augmentation: data augmentation by words with paradigmatic relations, NAACL "
        "2018: a language model that is not told the label proposes words that fit the sentence and may "
        "contradict the label"
    )
    source = (
        "Kobayashi, NAACL 2018, and Garg and Ramakrishnan: BAE: BERT-based adversarial examples for text "
        "classification, EMNLP 2020 (words replaced by the proposals of a masked language model); rates of "
        "Wei and Zou: EDA, EMNLP 2019"
    )

    top: int = option(10, "how many of the likeliest other words the draw chooses from, at least 1")
    model: Path | None = resource(
        "a masked language model of the transformers library (or a T5): owner/model on the hub, or a folder",
        env="masked_lm",
    )

    def __post_init__(self) -> None:
        if self.top < 1:
            raise MerbenchError(f"text/learned cannot choose from {self.top} words", fix="give top=1 or more")

    def sites(self, text: str) -> list[Site] | str:
        """Return every word for which the model knows another."""
        model = _open(self._checkpoint)
        spans = words(text)
        if not spans:
            return "there are no words"
        found = [
            Site(span.start, span.end, _Proposals(model, text, span, choices))
            for span in spans
            if (choices := model.choices(span.text, self.top))
        ]
        return found or "the model knows no other words in this script"

    def units(self, text: str, sites: Sequence[Site]) -> int:
        """Return the number of words."""
        return count_words(text)

    def content_hash(self) -> str:
        """Return the hash of the model's weights, configuration and vocabulary."""
        return checkpoint_hash(self._checkpoint)

    @property
    def _checkpoint(self) -> str:
        place = located(self, "model")
        if place is None:
            raise MerbenchError(
                "text/learned needs a masked language model, and none was given",
                fix="write text/learned:model=google-bert/bert-base-uncased, or model=FOLDER; or have it as "
                "masked_lm in $MERBENCH_DATA",
            )
        return place.as_posix()


@dataclass(frozen=True, slots=True)
class _Proposals(Sequence[str]):
    """What may stand in the place of a word. The model is asked only where one of them is taken."""

    model: MaskedLM
    text: str
    span: Span
    choices: int

    def __len__(self) -> int:
        return self.choices

    def __getitem__(self, i: Any) -> Any:
        return self.model.proposals(self.text, self.span, self.choices)[i]


@cache
def _open(checkpoint: str) -> MaskedLM:
    from corruptions.text._masked_lm import MaskedLM

    return MaskedLM(checkpoint_folder(checkpoint), checkpoint)
