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
    from collections.abc import Iterable, Mapping

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


def hash_clean(batch: Batch) -> list[MediaHashes]:
    """Return every row's media hashes."""
    return [{m: hash_media(batch, i, m) for m in MODALITIES} for i in range(len(batch))]


def hash_changed(batch: Batch, clean: Batch, clean_hashes: list[MediaHashes]) -> list[MediaHashes]:
    """Return every row's media hashes, computing only those of media that are not the clean ones."""
    shared = {
        "audio": batch.audio.values is clean.audio.values,
        "vision": batch.frames.values is clean.frames.values,
        "text": batch.text is clean.text,
    }
    present = {m: batch.present(m) for m in MODALITIES}
    return [
        {
            m: None if not present[m][i] else clean_hashes[i][m] if shared[m] else hash_media(batch, i, m)
            for m in MODALITIES
        }
        for i in range(len(batch))
    ]


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
        ]
    )


def cell_root(rows: Iterable[tuple[str, str]]) -> str:
    """Return the root of one cell from (sample id, row hash) pairs in any order."""
    return merkle_root(dict(rows))


def content_root(roots: Mapping[str, str]) -> str:
    """Return the root of a suite from its cells' roots."""
    return merkle_root(roots)
