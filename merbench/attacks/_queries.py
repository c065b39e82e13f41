"""Ordinary answers to altered rows, at the price of what was altered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.media.conform import conform
from merbench.models import SplitAdapter, Valued
from merbench.models._validate import blamed, check_output, join

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from merbench.models import Adapter
    from merbench.models._validate import Answers
    from merbench.types import Batch, Modality


class Queries:
    """Asks a model about versions of some clean rows in which only `altered` modalities differ.

    What is not altered is encoded once, if the adapter encodes modalities apart.
    """

    def __init__(self, adapter: Adapter, clean: Batch, altered: Sequence[Modality] = ()) -> None:
        self._adapter = adapter
        self._encodings: dict[Modality, npt.NDArray[Any]] = {}
        self.asked = 0
        if isinstance(adapter, SplitAdapter):
            media = self._conformed(clean)
            with blamed(adapter):
                for modality in adapter.uses:
                    if modality not in altered and clean.present(modality).any():
                        self._encodings[modality] = adapter.encode_present(modality, media)

    def answers(self, batch: Batch, rows: Sequence[int] | None = None) -> Answers:
        """Return the answers to versions of the clean rows, of all or of these (which may repeat)."""
        origin = np.arange(len(batch)) if rows is None else np.asarray(rows)
        self.asked += len(batch)
        size = self._adapter.batch_size
        parts = [
            self._answers(batch.take(part), origin[part])
            for part in np.split(np.arange(len(batch)), range(size, len(batch), size))
        ]
        return join(parts)

    def _answers(self, batch: Batch, origin: npt.NDArray[np.int64]) -> Answers:
        adapter = self._adapter
        media = self._conformed(batch)
        with blamed(adapter):
            if isinstance(adapter, SplitAdapter):
                present = {m: batch.present(m) for m in adapter.uses}
                encodings = {
                    m: self._encodings[m][origin]
                    if m in self._encodings
                    else adapter.encode_present(m, media)
                    for m in adapter.uses
                    if present[m].any()
                }
                output = adapter.fuse(encodings, present)
            else:
                output = adapter.predict(media)
            answers = check_output(output, len(batch), adapter.labels, adapter.targets)
        # Attacks are on labels; a model that has none is refused before.
        return answers.logits if isinstance(answers, Valued) and answers.logits is not None else answers

    def _conformed(self, batch: Batch) -> Batch:
        wants = self._adapter.wants
        read = batch.only(*self._adapter.uses)
        return conform(read, sample_rate=wants.sample_rate, frame_size=wants.frame_size)
