"""A masked language model that proposes other words. Importing this module imports torch."""

from __future__ import annotations

import threading
import unicodedata
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import transformers

from corruptions.text._edits import Span, words
from corruptions.text._english import like
from merbench import pretrained
from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

_SENTINEL = "<extra_id_0>"  # T5 and its kin: stands for a span that the decoder writes
_WORD_STARTS = ("\u2581", "\u0120")  # how sentencepiece and byte-level vocabularies write a blank
_CONTINUATION = "##"
_REMEMBERED = 4096  # texts: actors speak the same few sentences, and everybody says "yeah"
_LARGEST = 1 << 26  # logits held at once: 256 MB


Proposal = tuple[Span, tuple[str, ...]]


class _Words(NamedTuple):
    """The whole words of one script in a vocabulary: their tokens, and how they are written."""

    tokens: npt.NDArray[np.int64]
    spelt: tuple[str, ...]


class MaskedLM:
    """A network of the transformers library that fills in one masked word, on the CPU. Thread-safe.

    Either a masked language model (BERT, RoBERTa, XLM-R, BART ...) or a sequence-to-sequence model
    trained to fill in spans (T5). Only whole words of its vocabulary are proposed, not the first piece of
    longer ones.

    Args:
        folder: a checkpoint with its tokenizer.
        name: what it is called in messages.

    Raises:
        MerbenchError: it is neither kind of model, or its files are damaged or incomplete.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._config = pretrained.read_config(folder, name)
        with pretrained.quiet():
            self._tokenizer = pretrained.read_tokenizer(folder, name)
        self._writes = self._tokenizer.mask_token is None
        self._mask = _SENTINEL if self._writes else str(self._tokenizer.mask_token)
        if self._mask not in self._tokenizer.get_vocab():
            raise MerbenchError(
                f"'{name}' has no token for a masked word: it is no masked language model",
                fix="name one that is, such as google-bert/bert-base-uncased",
            )
        auto = transformers.AutoModelForSeq2SeqLM if self._writes else transformers.AutoModelForMaskedLM
        self._network = pretrained.load_network(
            auto, folder, self._config, name, kind="a masked language model"
        )
        self._longest = pretrained.longest_input(self._tokenizer, self._config)
        self._lock = threading.Lock()  # a fast tokenizer must not be used by two threads at once
        self._asked = lru_cache(_REMEMBERED)(self._proposals)

    def proposals(self, text: str, count: int) -> tuple[Proposal, ...]:
        """Return every word with the `count` other words that the model thinks likeliest in its place.

        Each word is masked by itself in the text as it is. The figures of a text depend on nothing but the
        text: only its own variants of one length share a pass, and nothing is padded.
        """
        return self._asked(text, count)

    def _proposals(self, text: str, count: int) -> tuple[Proposal, ...]:
        spans = words(text)
        if not spans:
            return ()
        with self._lock, torch.inference_mode():
            logits = self._logits(*self._masked(text, spans))
            likeliest = [
                self._likeliest(span.text, scores, count) for span, scores in zip(spans, logits, strict=True)
            ]
        return tuple(zip(spans, likeliest, strict=True))

    def _masked(self, text: str, spans: Sequence[Span]) -> tuple[list[list[int]], list[int]]:
        """Return the tokens of a text without each of its words, and where the mask is among them."""
        variants = [(text[: span.start], text[span.end :]) for span in spans]
        rows = self._tokens([self._mask.join(variant) for variant in variants])
        for i, row in enumerate(rows):
            reach = len(spans)
            while len(row) > self._longest and reach > 0:  # the words farthest away go
                reach //= 2
                first, last = max(0, i - reach), min(len(spans) - 1, i + reach)
                variants[i] = text[spans[first].start : spans[i].start], text[spans[i].end : spans[last].end]
                (row,) = self._tokens([self._mask.join(variants[i])])
            rows[i] = row
        mask = self._tokenizer.convert_tokens_to_ids(self._mask)
        places = [
            # Somebody may have written a mask: then it is one of several.
            [place for place, token in enumerate(row) if token == mask][before.count(self._mask)]
            for row, (before, _) in zip(rows, variants, strict=True)
        ]
        return rows, places

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        return list(self._tokenizer(texts)["input_ids"])

    def _logits(self, rows: Sequence[list[int]], positions: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the scores of every token of the vocabulary in place of each row's mask [N, V]."""
        found = np.empty((len(rows), int(self._config.vocab_size)), dtype=np.float32)
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length)
            step = max(1, _LARGEST // (int(length) * found.shape[1]))
            for first in range(0, len(same), step):
                chosen = same[first : first + step]
                tokens = torch.tensor([rows[i] for i in chosen])
                at = torch.tensor([positions[i] for i in chosen])
                found[chosen] = self._scores(tokens, at).float().numpy()
        return found

    def _scores(self, tokens: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        """Return the scores [N, V] for the mask at `at` [N] in `tokens` [N, L]."""
        if not self._writes:
            logits: torch.Tensor = self._network(input_ids=tokens).logits
            return logits[torch.arange(len(at)), at]
        start, sentinel = self._config.decoder_start_token_id, tokens[0, at[0]].item()
        begun = torch.tensor([[start, sentinel]]).expand(len(tokens), -1)
        written: torch.Tensor = self._network(input_ids=tokens, decoder_input_ids=begun).logits
        return written[:, -1]

    def _likeliest(self, word: str, scores: npt.NDArray[np.float32], count: int) -> tuple[str, ...]:
        """Return the `count` likeliest words that are not `word`, in its script and with its capitals."""
        known = self._vocabulary.get(_script(word))
        if known is None:
            return ()
        found: dict[str, str] = {}
        for place in np.argsort(-scores[known.tokens], kind="stable"):
            other = known.spelt[place]
            if other.casefold() != word.casefold():
                found.setdefault(other.casefold(), like(word, other))
            if len(found) == count:
                break
        return tuple(found.values())

    @cached_property
    def _vocabulary(self) -> dict[str, _Words]:
        """The whole words of the vocabulary, by script."""
        pieces: dict[str, int] = self._tokenizer.get_vocab()
        special = set(self._tokenizer.all_special_ids)
        mark = next((m for m in _WORD_STARTS if sum(piece.startswith(m) for piece in pieces) > 1), None)
        found: dict[str, list[tuple[int, str]]] = {}
        for piece, token in sorted(pieces.items(), key=lambda item: item[1]):
            word = unicodedata.normalize("NFC", self._tokenizer.decode([token]).strip())
            whole = not piece.startswith(_CONTINUATION) and (
                mark is None or piece.startswith(mark) or not _sets_spaces(word)
            )
            if whole and token not in special and token < self._config.vocab_size and _is_word(word):
                found.setdefault(_script(word), []).append((token, word))
        return {
            script: _Words(np.array([token for token, _ in entries]), tuple(word for _, word in entries))
            for script, entries in found.items()
        }


def _is_word(text: str) -> bool:
    found = words(text)
    return len(found) == 1 and found[0].text == text


def _script(word: str) -> str:
    """Return the script of a word's first character as Unicode names it: LATIN, CYRILLIC, CJK, DIGIT ..."""
    return unicodedata.name(word[0], "NONE").split()[0]


def _sets_spaces(word: str) -> bool:
    """Tell whether a word's script divides words by blanks, or ``words`` takes it character by character."""
    return len(words(word + word)) < 2
