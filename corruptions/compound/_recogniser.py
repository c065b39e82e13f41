"""A speech recogniser of the transformers library. Importing this module imports torch."""

from __future__ import annotations

import threading
import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from transformers.models.auto import modeling_auto

from merbench import pretrained
from merbench.errors import MerbenchError
from merbench.media.resample import resample

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

_FULL_SCALE = 32768.0  # PCM16
_SHORTEST_S = 0.1  # no network of speech makes a frame of less; anything shorter is followed by silence


class Recogniser:
    """Writes down what is said in one recording at a time, on the CPU and without chance. Thread-safe.

    Either a network with connectionist temporal classification (wav2vec 2.0, HuBERT), of which every
    frame's likeliest letter is taken, or one that writes token by token (Whisper), greedily.

    Args:
        folder: a checkpoint with its feature extractor and its tokenizer.
        name: what it is called in messages.
        language: what a multilingual Whisper is told is spoken; ``None`` lets it guess.

    Raises:
        MerbenchError: it recognises no speech, cannot be told a language, or its files are damaged or
            incomplete.
    """

    def __init__(self, folder: Path, name: str, language: str | None = None) -> None:
        config = pretrained.read_config(folder, name)
        self._writes = _writes_tokens(config, name)
        with pretrained.quiet():
            self._extract = _read_extractor(folder, name)
            self._tokenizer = pretrained.read_tokenizer(folder, name)
        auto = transformers.AutoModelForSpeechSeq2Seq if self._writes else transformers.AutoModelForCTC
        self._network = pretrained.load_network(auto, folder, config, name, kind="a speech recogniser")
        self._told = {} if language is None else {"task": "transcribe", "language": language}
        generation = getattr(self._network, "generation_config", None)
        known = [mark.strip("<|>") for mark in getattr(generation, "lang_to_id", ())]
        if language is not None and language not in known:
            fix = f"write language={' or '.join(known)}" if known else "it knows one language: leave it out"
            raise MerbenchError(f"'{name}' cannot be told that '{language}' is spoken", fix=fix)
        self._capitals_only = not any(len(p) == 1 and p.islower() for p in self._tokenizer.get_vocab())
        self._lock = threading.Lock()  # a fast tokenizer must not be used by two threads at once

    def transcribe(self, audio: npt.NDArray[np.int16], sample_rate: int) -> str:
        """Return what is said in a recording [T] at `sample_rate` Hz, T >= 1, in NFC.

        What is longer than the network takes in (Whisper: 30 s) is written down piece by piece. A network
        that knows capitals only was trained without any: its words are given in small letters.
        """
        rate = int(self._extract.sampling_rate)
        signal = (resample(audio, sample_rate, rate) / _FULL_SCALE).astype(np.float32)
        signal = np.pad(signal, (0, max(0, round(_SHORTEST_S * rate) - len(signal))))
        longest = int(getattr(self._extract, "n_samples", 0)) if self._writes else 0
        pieces = range(0, len(signal), longest or len(signal))
        with self._lock, pretrained.quiet(), torch.inference_mode():
            heard = [self._written(signal[i : i + (longest or len(signal))], rate) for i in pieces]
        text = " ".join(filter(None, heard))
        return unicodedata.normalize("NFC", text.lower() if self._capitals_only else text)

    def _written(self, signal: npt.NDArray[np.float32], rate: int) -> str:
        inputs = self._extract(signal, sampling_rate=rate, return_tensors="pt")
        if self._writes:
            (tokens,) = self._network.generate(**inputs, **self._told, do_sample=False, num_beams=1)
            return str(self._tokenizer.decode(tokens, skip_special_tokens=True)).strip()
        text = str(self._tokenizer.decode(self._network(**inputs).logits[0].argmax(dim=-1)))
        for mark in self._tokenizer.all_special_tokens:  # skipped earlier, they would join equal letters
            text = text.replace(mark, "")
        return text.strip()


def _read_extractor(folder: Path, name: str) -> Any:
    auto: Any = transformers.AutoFeatureExtractor
    try:
        return auto.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        raise MerbenchError(
            f"the preprocessing of '{name}' cannot be read: {pretrained.first_line(error)}",
            fix="put its preprocessor_config.json beside its config.json",
        ) from error


def _writes_tokens(config: Any, name: str) -> bool:
    """Tell whether a recogniser writes token by token, or names a letter per frame."""
    architectures = config.architectures or ()
    if any(a in modeling_auto.MODEL_FOR_CTC_MAPPING_NAMES.values() for a in architectures):
        return False
    if any(a in modeling_auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES.values() for a in architectures):
        return True
    what = f"is a {architectures[0]}" if architectures else "names no architecture"
    raise MerbenchError(
        f"the configuration of '{name}' {what}, and that writes down no speech",
        fix="name a recogniser, such as openai/whisper-base or facebook/wav2vec2-base-960h",
    )
