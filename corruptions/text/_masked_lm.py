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
    from pathlib import Path

    import numpy.typing as npt

_SENTINEL = "<extra_id_0>"  # T5 and its kin: stands for a span that the decoder writes
_WORD_STARTS = ("\u2581", "\u0120")  # how sentencepiece and byte-level vocabularies write a blank
_CONTINUATION = "##"
_REMEMBERED = 1 << 14  # words in their texts: severities share them, and actors speak the same sentences


class _Words(NamedTuple):
    """The whole words of one script in a vocabulary: their tokens, how they are written, and which differ."""

    tokens: npt.NDArray[np.int64]
    spelt: tuple[str, ...]
    different: frozenset[str]


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
        self._asked = lru_cache(_REMEMBERED)(self._likeliest)

    def choices(self, word: str, most: int) -> int:
        """Return how many other words there are to propose for a word, at most `most`."""
        known = self._vocabulary.get(_script(word))
        if known is None:
            return 0
        return min(most, len(known.different) - (word.casefold() in known.different))

    def proposals(self, text: str, span: Span, count: int) -> tuple[str, ...]:
        """Return the `count` likeliest other words in place of one, in its script and with its capitals.

        The word is masked in the text as it is and goes through the network by itself: what is found
        depends on nothing else. There have to be that many `choices`.
        """
        return self._asked(text, span, count)

    def _likeliest(self, text: str, span: Span, count: int) -> tuple[str, ...]:
        known = self._vocabulary[_script(span.text)]
        with self._lock, torch.inference_mode():
            scores = self._scores(*self._masked(text, span)).float().numpy()
        found: dict[str, str] = {}
        for place in np.argsort(-scores[known.tokens], kind="stable"):
            other = known.spelt[place]
            if other.casefold() != span.text.casefold():
                found.setdefault(other.casefold(), like(span.text, other))
            if len(found) == count:
                break
        return tuple(found.values())

    def _masked(self, text: str, span: Span) -> tuple[torch.Tensor, int]:
        """Return the tokens [1, L] of a text without a word, and where the mask is among them."""
        before, after = text[: span.start], text[span.end :]
        row = self._tokens(before, after)
        while len(row) > self._longest and (before or after):  # what is farther away goes, half by half
            before, after = before[len(before) - len(before) // 2 :], after[: len(after) // 2]
            row = self._tokens(before, after)
        mask = self._tokenizer.convert_tokens_to_ids(self._mask)
        places = [place for place, token in enumerate(row) if token == mask]
        return torch.tensor([row]), places[before.count(self._mask)]  # somebody may have written a mask

    def _tokens(self, before: str, after: str) -> list[int]:
        return list(self._tokenizer(before + self._mask + after)["input_ids"])

    def _scores(self, tokens: torch.Tensor, at: int) -> torch.Tensor:
        """Return the scores [V] of every token for the mask at `at` in `tokens` [1, L]."""
        if not self._writes:
            logits: torch.Tensor = self._network(input_ids=tokens).logits
            return logits[0, at]
        begun = torch.tensor([[self._config.decoder_start_token_id, tokens[0, at].item()]])
        written: torch.Tensor = self._network(input_ids=tokens, decoder_input_ids=begun).logits
        return written[0, -1]

    @cached_property
    def _vocabulary(self) -> dict[str, _Words]:
        """The whole words of the vocabulary, by script."""
        pieces: dict[str, int] = self._tokenizer.get_vocab()
        special = set(self._tokenizer.all_special_ids)
        mark = next((m for m in _WORD_STARTS if sum(piece.startswith(m) for piece in pieces) > 1), None)
        with self._lock:
            spelt = {token: self._tokenizer.decode([token]) for token in pieces.values()}
        found: dict[str, list[tuple[int, str]]] = {}
        for piece, token in sorted(pieces.items(), key=lambda item: item[1]):
            word = unicodedata.normalize("NFC", spelt[token].strip())
            whole = not piece.startswith(_CONTINUATION) and (
                mark is None or piece.startswith(mark) or not _sets_spaces(word)
            )
            if whole and token not in special and token < self._config.vocab_size and _is_word(word):
                found.setdefault(_script(word), []).append((token, word))
        return {
            script: _Words(
                np.array([token for token, _ in entries]),
                tuple(word for _, word in entries),
                frozenset(word.casefold() for _, word in entries),
            )
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
