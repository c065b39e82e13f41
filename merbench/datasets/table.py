"""Any table of utterances: CSV, TSV, Parquet, or a saved Hugging Face dataset.

::

    merbench dataset check 'table:text=Utterance,label=Emotion,speaker=Speaker' --root dev_sent_emo.csv

`merbench.datasets._mapped` says which column is used as what.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - options are read from resolved annotations
from typing import TYPE_CHECKING

from merbench.datasets._base import Card
from merbench.datasets._mapped import MappedDataset
from merbench.datasets._tabular import read_rows
from merbench.options import located, option, resource

if TYPE_CHECKING:
    from merbench.datasets._tabular import Rows


@dataclass(frozen=True)
class Table(MappedDataset):
    """Utterances listed in a table of the user's own."""

    card = Card(
        title="A table of utterances",
        labels=(),
        modalities=("audio", "vision", "text"),
        text_informative=True,
        licence="unknown",
        licence_url="that of whoever published the data",
        restricted=True,
        bibtex="",
        layout=(
            "a .csv, .tsv or .parquet file, or is one, with a column 'label' and at least one of 'audio', "
            "'video', 'image' (paths) and 'text'; or what datasets.save_to_disk wrote"
        ),
    )

    header: tuple[str, ...] = option((), "column names of a CSV or TSV file that has none")
    media_root: Path | None = resource(
        "folder that relative paths start from, itself relative to the table's folder", env="table-media"
    )

    def read_table(self) -> Rows:
        """Read the file."""
        return read_rows(self.require_root(), self.header)

    @property
    def media_folder(self) -> Path | None:
        """What paths in the table start from: `media_root`."""
        return located(self, "media_root")
