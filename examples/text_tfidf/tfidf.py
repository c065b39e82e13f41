"""A text model in one file: TF-IDF and logistic regression, trained in seconds when it is loaded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - the types of options are read at run time
from typing import TYPE_CHECKING

import numpy as np

from merbench.datasets import datasets
from merbench.errors import MerbenchError
from merbench.hashing import combine
from merbench.models import Adapter, TrainingRecord
from merbench.options import option

if TYPE_CHECKING:
    from merbench.types import Batch

SMALLEST = np.finfo(np.float64).tiny


@dataclass
class TfIdf(Adapter):
    """Words and word pairs, weighted by TF-IDF, into a multinomial logistic regression.

    Where the text is missing it answers how often each label occurred in training.
    """

    train: Path | None = option(None, "the table to train on, as the dataset 'table' reads it")
    header: tuple[str, ...] = option((), "see the dataset 'table'")
    label_names: tuple[str, ...] = option((), "see the dataset 'table'")
    corpus: str = option("table", "what the table is a part of, for the training record")

    uses = ("text",)

    def __post_init__(self) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        if self.train is None:
            raise MerbenchError("there is nothing to train on", fix="add train=FILE")
        table = datasets["table"](
            root=self.train, header=self.header, label_names=self.label_names, multi_label="drop"
        )
        utterances = table.utterances()
        labels = [u.label for u in utterances]
        self._source = table.source_hash(utterances)
        self._model = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
            LogisticRegression(C=5.0, max_iter=1000),
        )
        self._model.fit([table.load(u).text or "" for u in utterances], labels)
        self.labels = tuple(self._model.classes_)
        counts = Counter(labels)
        self._prior = np.array([counts[label] / len(labels) for label in self.labels])
        ids = frozenset(u.id for u in utterances)
        self.trained_on = (TrainingRecord(dataset=self.corpus, samples=ids),)

    def predict(self, batch: Batch) -> np.ndarray:
        """Return log-probabilities [N, C]."""
        probabilities = np.tile(self._prior, (len(batch), 1))
        rows = np.flatnonzero(batch.present("text"))
        if len(rows):
            probabilities[rows] = self._model.predict_proba([batch.text[i] for i in rows])
        return np.log(np.maximum(probabilities, SMALLEST))

    def fingerprint(self) -> str:
        """Return a hash over the training data; the loader adds that of this file."""
        return combine([self._source, self.corpus])
