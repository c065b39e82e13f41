"""What corruptions need from outside merbench to run at all, in miniature: noise banks, models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.corruptions import banks
from tests.corruptions.samples import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from merbench.corruption import Corruption


def _masked_lm(folder: Path) -> Path:
    from tests.models import transformers_models

    others = ["12", "67", "proszę", "jaźń", "我", "今", "天", "很", "سعيد", "اليوم"]
    return transformers_models.masked_lm(folder, [*WORDS, *others])


def _recogniser(folder: Path) -> Path:
    from tests.models import transformers_models

    return transformers_models.ctc(folder)


WRITERS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "audio/esc50": ("noise_root", banks.write_esc50),
    "audio/musan": ("noise_root", banks.write_musan),
    "audio/urban_noise": ("noise_root", banks.write_urban),
    "compound/asr_of_corrupted_audio": ("asr", _recogniser),
    "compound/mer_noise": ("noise_root", banks.write_musan),
    "text/learned": ("model", _masked_lm),
}
"""By corruption the option that says where it is, and what writes it into a folder."""


def options(cls: type[Corruption], folder: Path) -> dict[str, Any]:
    """Return the options that a corruption cannot do without; what they name is written once in `folder`."""
    if cls.name not in WRITERS:
        return {}
    option, write = WRITERS[cls.name]
    place = folder / cls.name.replace("/", "-")
    return {option: place if place.exists() else write(place)}
