"""Weights for several models, and what clean input looks like, from a validation split."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from merbench.errors import MerbenchError
from merbench.labels import map_labels
from merbench.models._ensemble import quality
from merbench.models._ensemble.adapter import Combination, identities, load_members
from merbench.models._ensemble.fitted import Fitted
from merbench.models._ensemble.grammar import read_call
from merbench.models._ensemble.members import join_labels
from merbench.models._ensemble.rules import RULES, Router, Weighted
from merbench.models._load import load_model
from merbench.models._probabilities import merging
from merbench.models._validate import out_of_memory
from merbench.options import build
from merbench.types import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from merbench.datasets import Dataset
    from merbench.types import Modality, Utterance

_CLOSE = 1e-4  # nats per utterance: no other weights make the data more likely by more than this


def fit_weights(
    spec: str,
    dataset: Dataset,
    split: str = "validation",
    *,
    device: str = "cpu",
    precision: str = "float32",
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
) -> Fitted:
    """Return what ``weighted(...; fit=FILE)`` and ``router(...; fit=FILE)`` take from a file.

    Weights maximise the likelihood of the labels under the weighted mean of the models' clean answers
    (`mixture_weights`); only utterances of which every model says something, and whose label all of them
    have, are counted. A router takes what clean input looks like: the median quality of each modality,
    and the trigrams of the texts.

    Args:
        spec: ``weighted(A; B; ...)`` or ``router(A; B; ...)``, as for ``--model`` but without fit or weights.
        dataset: where the split is from; clean media are read.
        split: what is fitted on. It counts as training data from then on.
        device: where the models compute.
        precision: what they compute in.
        workers: threads that decode.
        progress: called with the number of utterances just done.

    Raises:
        MerbenchError: the spec is no such call, or gives weights already; a model cannot be loaded; no
            utterance of the split can be counted.
    """
    call = read_call(spec)
    rule = None if call is None else RULES.get(call.rule)
    if (
        call is None
        or rule not in (Weighted, Router)
        or len(call.members) < 2
        or {"weights", "fit"} & call.options.keys()
    ):
        raise MerbenchError(
            f"'{spec}' leaves nothing to fit",
            fix="write weighted(A; B; ...) or router(A; B; ...), without weights",
        )
    settled = build(rule, call.rule, dict(call.options))
    load = partial(load_model, label_counts=dataset.label_counts(), device=device, precision=precision)
    adapters = load_members(call, cache(load))
    combination = Combination(call.rule, join_labels(adapters, settled.labels), settled, None)
    utterances, _ = dataset.select(split)
    seen = _observe(combination, dataset, utterances, workers, progress)
    classes = map_labels(combination.members[0].labels, dataset.labels, "subset").table
    merge = merging([str(name) for name in classes.values()], dataset.labels)
    truth = np.array([dataset.labels.index(u.label) for u in utterances])
    counted = np.flatnonzero(np.asarray(merge.any(axis=0))[truth] & seen.said.any(axis=2).all(axis=0))
    if not len(counted):
        raise MerbenchError(
            f"no utterance in the split '{split}' of {dataset.name} has a label that all models share",
            fix="fit on other data, or write labels=all",
        )
    return Fitted(
        members=tuple(identities(adapters)),
        weights=tuple(mixture_weights((seen.said @ merge)[:, counted, truth[counted]]).round(6).tolist()),
        quality={m: round(float(np.median(q)), 6) for m, q in seen.quality.items() if len(q)},
        trigrams=seen.trigrams,
        dataset=dataset.name,
        options=dataset.draw_options(),
        split=split,
        samples=tuple(sorted(u.id for u in utterances)),
        speakers=tuple(sorted({u.speaker for u in utterances if u.speaker is not None})),
    )


@dataclass(frozen=True)
class _Seen:
    """What the members say of clean data [M, N, C], how clean it is found to be, and its trigrams."""

    said: npt.NDArray[np.float64]
    quality: Mapping[Modality, npt.NDArray[np.floating]]
    trigrams: frozenset[str]


def _observe(
    combination: Combination,
    dataset: Dataset,
    utterances: Sequence[Utterance],
    workers: int,
    progress: Callable[[int], None] | None,
) -> _Seen:
    size = min(member.adapter.batch_size for member in combination.members)
    said: list[npt.NDArray[np.float64]] = []
    levels: dict[Modality, list[npt.NDArray[np.float32]]] = {"audio": [], "vision": []}
    texts: list[str] = []
    with ThreadPoolExecutor(workers) as threads:
        for start in range(0, len(utterances), size):
            batch = Batch.of(list(threads.map(dataset.load, utterances[start : start + size])))
            present = {modality: batch.present(modality) for modality in combination.modalities}
            said.append(combination.silence(_answers(combination, batch), present))
            for modality, parts in levels.items():
                rows = np.flatnonzero(batch.present(modality))
                parts.append(quality.measure(modality, batch.only(modality).take(rows)))
            texts += [text for text in batch.text if text is not None]
            if progress:
                progress(len(batch))
    trigrams, spelling = _spelling(texts)
    measured: dict[Modality, npt.NDArray[np.floating]] = {m: np.concatenate(q) for m, q in levels.items()}
    return _Seen(np.concatenate(said, axis=1), {**measured, "text": spelling}, trigrams)


def _answers(combination: Combination, batch: Batch) -> list[npt.NDArray[np.float64]]:
    try:
        return combination.distributions(batch)
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise MerbenchError(
            f"memory ran out on {len(batch)} samples", fix="choose smaller models, or --device cpu"
        ) from error


def mixture_weights(likelihoods: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the weights [M], which sum to 1, of the mixture under which the data are most likely.

    Expectation-maximisation, as for interpolated language models (Jelinek and Mercer 1980), on a problem
    that is concave: there are no other optima.

    Args:
        likelihoods: what each model gave to each row's true label [M, N].
    """
    weights = np.full(len(likelihoods), 1 / len(likelihoods))
    seen = likelihoods[:, likelihoods.any(axis=0)]  # what no model thinks possible tells them not apart
    if not seen.size:
        return weights
    enough = ceil(np.log(len(weights)) / _CLOSE)  # from equal weights, k steps leave at most log(M) / k
    for _ in range(enough):
        gain = (seen / (weights @ seen)).mean(axis=1)
        if gain.max() < 1 + _CLOSE:  # the greatest gain bounds what is left, as the problem is concave
            break
        weights = weights * gain
    return weights


def _spelling(texts: Sequence[str]) -> tuple[frozenset[str], npt.NDArray[np.float64]]:
    """Return the trigrams of clean texts, and how well each text is spelt by those of the others."""
    count = Counter(t for text in texts for t in frozenset().union(*map(quality.trigrams, text.split())))
    elsewhere = frozenset(t for t, n in count.items() if n > 1)
    return frozenset(count), np.array([quality.spelling(text, elsewhere) for text in texts])
