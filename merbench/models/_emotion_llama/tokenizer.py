"""Text to token ids and back, the same for a committed vocabulary, a hub id and a folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOME = Path(__file__).parent
_SPECIAL = ("<pad>", "<s>", "</s>")


class Tokenizer:
    """A Hugging Face tokenizer, seen as what the network needs of it."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.bos = int(inner.bos_token_id)
        self.eos = int(inner.eos_token_id)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, nothing added before or behind.

        Whoever writes ``</s>`` in a sentence has written four characters, and not the end of it.
        """
        ids: list[int] = self._inner(text, add_special_tokens=False, split_special_tokens=True).input_ids
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids, special tokens left out."""
        return str(self._inner.decode(list(ids), skip_special_tokens=True)).strip()


@lru_cache(maxsize=4)
def load_tokenizer(source: str) -> Tokenizer:
    """Return the tokenizer in a committed file of this package, in a folder, or behind a hub id.

    Raises:
        MerbenchError: it is nowhere to be found, or it lacks a begin or end token.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    from merbench.models._transformers.adapter import quiet

    inner: Any
    try:
        if (_HOME / source).is_file():
            pad, bos, eos = _SPECIAL
            committed: Any = PreTrainedTokenizerFast
            inner = committed(tokenizer_file=str(_HOME / source), pad_token=pad, bos_token=bos, eos_token=eos)
        else:
            with quiet():
                inner = AutoTokenizer.from_pretrained(source)
        return Tokenizer(inner)
    except (OSError, TypeError, ValueError) as error:
        raise MerbenchError(
            f"the tokenizer '{source}' cannot be loaded ({str(error).splitlines()[0]})",
            fix="give a folder that holds it, or a hub id that is cached or can be reached",
        ) from error


def train_vocabulary(texts: Iterable[str], size: int) -> str:
    """Return a byte-level BPE (Sennrich et al. 2016; Radford et al. 2019) of `size` tokens as JSON.

    Every byte is a token, so that any text can be written; case is folded; each piece of text begins as
    after a space, so that a word is the same tokens at the beginning of a piece as within it.
    """
    from tokenizers import Tokenizer as Bare
    from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

    bare = Bare(models.BPE())
    bare.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bare.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bare.train_from_iterator(texts, trainer)
    return str(bare.to_str(pretty=False))
