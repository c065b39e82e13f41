"""What a row holds, as hashes: the leaves of a suite's `content_root`.

::

    media hash   over a decoded array (dtype, shape, bytes) and its rate or timestamps
    row hash     over the row's identity and its three media hashes
    cell root    over the row hashes, by sample id
    content_root over the cell roots, by cell id

Containers, file names, order and tool versions are in none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from merbench.hashing import combine, hash_array, hash_text, merkle_root
from merbench.types import MODALITIES, Batch, Modality

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from merbench.types import Utterance

MediaHashes = dict[Modality, str | None]


def hash_media(batch: Batch, row: int, modality: Modality) -> str | None:
    """Return the hash of one modality of one row, ``None`` when it is absent."""
    if modality == "text":
        text = batch.text[row]
        return None if text is None else hash_text(text)
    if modality == "audio":
        audio = batch.audio[row]
        return None if audio is None else combine([hash_array(audio), str(batch.sample_rates[row])])
    frames, timestamps = batch.frames[row], batch.timestamps[row]
    if frames is None or timestamps is None:
        return None
    return combine([hash_array(frames), hash_array(timestamps)])


def hash_sample(
    batch: Batch, row: int, clean: Batch | None = None, known: MediaHashes | None = None
) -> MediaHashes:
    """Return the hashes of one row's media.

    Those of media that `clean` shares are taken from `known`, the hashes of its row.
    """
    hashes: MediaHashes = {}
    for modality in MODALITIES:
        if clean is None or known is None or not batch.shares(clean, modality):
            hashes[modality] = hash_media(batch, row, modality)
        else:
            hashes[modality] = known[modality] if batch.present(modality)[row] else None
    return hashes


def hash_batch(
    batch: Batch, clean: Batch | None = None, known: Sequence[MediaHashes] | None = None
) -> list[MediaHashes]:
    """Return `hash_sample` of every row."""
    return [hash_sample(batch, i, clean, known[i] if known else None) for i in range(len(batch))]


def hash_row(utterance: Utterance, media: Mapping[Modality, str | None]) -> str:
    """Return the hash of one row."""
    return combine(
        [
            utterance.id,
            utterance.label,
            utterance.split,
            utterance.speaker or "",
            utterance.dialogue or "",
            *(media[m] or "" for m in MODALITIES),
            *map(repr, utterance.targets),
        ]
    )


def cell_root(rows: Iterable[tuple[str, str]]) -> str:
    """Return the root of one cell from (sample id, row hash) pairs in any order."""
    return merkle_root(dict(rows))


def content_root(roots: Mapping[str, str]) -> str:
    """Return the root of a suite from its cells' roots."""
    return merkle_root(roots)
