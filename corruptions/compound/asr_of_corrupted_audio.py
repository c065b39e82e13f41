"""What a recogniser makes of the sound that a model is given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path  # noqa: TC003 (the types of options are read at run time)
from typing import TYPE_CHECKING, Any

from corruptions._checkpoints import checkpoint_folder, checkpoint_hash
from corruptions.compound._errors import word_error_rate
from corruptions.compound._parts import Compound
from merbench.corruption import corruptions
from merbench.errors import MerbenchError
from merbench.hashing import combine
from merbench.options import build, canonical, has_option, located, option, resource, split_spec
from merbench.types import Packed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from corruptions.compound._recogniser import Recogniser
    from merbench.device import DeviceBatch
    from merbench.types import Achieved, Batch, Params, Pool

_SOUND = "sound"


@dataclass(frozen=True)
class AsrOfCorruptedAudio(Compound):
    """The sound is corrupted, and the text is what a speech recogniser understands of that.

    So both modalities fail together, as they do where nobody writes transcripts by hand. The recogniser
    errs on clean sound too, and more noise means more errors on average, not for every clip: what is
    ordered by severity is the sound. Where a recording is not corrupted, its text stays as well.
    """

    version = 1
    changes = ("audio", "text")
    exactness = "model"
    libraries = ("tokenizers", "torch", "transformers")
    device_tolerance = None
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "that of text/asr at comparable error rates, and of audio/environment; nobody was asked about a "
        "recogniser's transcripts beside the sound they come from"
    )
    source = (
        "the corruption of the sound that is asked for, at the same severity, then a recogniser of the "
        "transformers library; Li, Bell and Lai: Speech emotion recognition with ASR transcripts, SLT "
        "2024, compare eleven of them"
    )

    audio: str = option(
        "audio/environment",
        "the corruption of the sound: name or name:key=value;key=value",
        changes_draw=True,
    )
    noise_folds: tuple[int, ...] | None = option(
        None, "folds to take its noise from; none given: those of the corruption itself", changes_draw=True
    )
    language: str | None = option(None, "what a multilingual Whisper is told is spoken, e.g. zh")
    asr: Path | None = resource(
        "a recogniser of the transformers library (CTC or Whisper): owner/model on the hub, or a folder",
        env="asr",
    )
    noise_root: Path | None = resource("where the noise of the sound's corruption lies", env="noise")

    def __post_init__(self) -> None:
        part = self.parts[_SOUND]
        if part.changes != ("audio",):
            raise MerbenchError(
                f"{self.name} cannot take {part.name} for its sound", fix="give a corruption of audio alone"
            )
        # What is so depends on the sound's corruption, and that is an option here.
        object.__setattr__(self, "uses_pool", part.uses_pool)
        object.__setattr__(self, "is_random", part.is_random)
        object.__setattr__(self, "libraries", (*type(self).libraries, *part.libraries))

    def recipe(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the corruption of the sound."""
        name, values = _part(self.audio)
        given = {"noise_folds": self.noise_folds, "noise_root": self.noise_root}
        if self.noise_root is not None and not has_option(corruptions[name], "noise_root"):
            del given["noise_root"]
        return {_SOUND: (name, {**values, **{k: v for k, v in given.items() if v is not None}})}

    @classmethod
    def material(cls, options: Mapping[str, Any]) -> frozenset[str]:
        """Return what the noise of the sound comes from."""
        name, values = _part(options["audio"])
        if options["noise_folds"] is not None:
            values["noise_folds"] = options["noise_folds"]
        part = corruptions[name]
        return part.material(canonical(build(part, name, values)))

    def content_hash(self) -> str:
        """Return a hash over the sound's corruption and the recogniser's files."""
        return combine([super().content_hash(), checkpoint_hash(self._checkpoint)])

    def apply(
        self, batch: Batch, params: Sequence[Params], pool: Pool, *_: Any, level: float
    ) -> tuple[Batch, list[Achieved]]:
        """Corrupt the sound of every row that has a text, and write down what is heard."""
        recogniser = _open(self._checkpoint, self.language)
        texts = list(batch.text)
        silent = batch.replace(audio=batch.audio.hide(~batch.present("text")))
        spoilt, achieved = super().apply(silent, params, pool, level=level)
        recordings = []
        for i, (text, report) in enumerate(zip(batch.text, achieved, strict=True)):
            recording, rate = spoilt.audio[i], spoilt.sample_rates[i]
            if text is None:
                achieved[i] = {**report, "reason": "there is no text"}
            elif report["applied"] and recording is not None and rate is not None:
                heard = recogniser.transcribe(recording, rate)
                errors = word_error_rate(text, heard)
                texts[i] = heard
                report["wer"] = None if errors is None else round(errors, 6)
            recordings.append(recording if report["applied"] else batch.audio[i])
        audio = Packed.of(recordings, batch.audio.values.dtype)
        return batch.replace(audio=audio, text=tuple(texts)), achieved

    def apply_on_device(
        self, batch: DeviceBatch, params: Sequence[Params], pool: Pool, *_: Any, level: float
    ) -> tuple[DeviceBatch, list[Achieved]]:
        """Have the host do all of it: the recogniser listens there."""
        return super(Compound, self).apply_on_device(batch, params, pool, level=level)

    @property
    def _checkpoint(self) -> str:
        place = located(self, "asr")
        if place is None:
            raise MerbenchError(
                f"{self.name} needs a speech recogniser, and none was given",
                fix=f"write {self.name}:asr=openai/whisper-base, or asr=FOLDER; or have it as asr in "
                "$MERBENCH_DATA",
            )
        return place.as_posix()


def _part(spec: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the options of the sound's corruption."""
    name, values = split_spec(spec.replace(";", ","))
    if "noise_root" in values:  # a place on this machine would become part of the identity
        raise MerbenchError(f"'{spec}' names a folder", fix="give noise_root= beside audio=, not within it")
    return name, dict(values)


@cache
def _open(checkpoint: str, language: str | None) -> Recogniser:
    from corruptions.compound._recogniser import Recogniser

    return Recogniser(checkpoint_folder(checkpoint), checkpoint, language)
