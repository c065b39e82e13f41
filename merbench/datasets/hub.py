"""Any dataset of the Hugging Face hub, or a copy of its repository, by column mapping.

::

    merbench dataset check hub:repo=amu-cai/nEMO,text=raw_text,label=emotion,speaker=speaker_id,id=file_id
    merbench dataset check hub:text=raw_text,label=emotion --root copy/of/the/repository

Whatever `datasets.load_dataset` reads without running anybody's code: Parquet, CSV, JSON lines, folders of
media. `merbench.datasets._mapped` says which column is used as what.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from merbench.datasets._base import Card
from merbench.datasets._mapped import MappedDataset
from merbench.datasets._tabular import arrow_rows
from merbench.errors import MerbenchError
from merbench.options import option

if TYPE_CHECKING:
    from merbench.datasets._tabular import Rows


@dataclass(frozen=True)
class Hub(MappedDataset):
    """A dataset that somebody published on the hub."""

    card = Card(
        title="A dataset of the Hugging Face hub",
        labels=(),
        modalities=("audio", "vision", "text"),
        text_informative=True,
        licence="unknown",
        licence_url="https://huggingface.co/datasets",
        restricted=True,
        bibtex="",
        layout=(
            "a copy of a dataset's repository (Parquet, CSV, JSON lines or folders of media), "
            "or name one on the hub with hub:repo=OWNER/NAME"
        ),
    )

    repo: str | None = option(
        None, "OWNER/NAME on the hub, which is kept in the root, if there is one; without it the root is read"
    )
    revision: str | None = option(None, "branch, tag or commit on the hub; without it the newest")
    config: str | None = option(None, "which of the repository's configurations, if it has several")

    @property
    def where(self) -> str:
        """What the dataset is called in messages."""
        return self.repo or str(self.root)

    def read_table(self) -> Rows:
        """Load the dataset, from the hub's cache on this machine if it is there."""
        import datasets
        from datasets.exceptions import DatasetsError

        if self.revision is not None and self.repo is None:
            raise MerbenchError(
                "a revision is one of a repository on the hub", fix="add repo=OWNER/NAME, or leave it out"
            )
        folder = self.root if self.repo and self.root is None else self.require_root()
        try:
            if self.repo is None:
                found = datasets.load_dataset(str(folder), self.config)
            else:
                found = datasets.load_dataset(
                    self.repo, self.config, revision=self.revision, cache_dir=folder and str(folder)
                )
        except (OSError, ValueError, DatasetsError) as error:
            reason = " ".join(str(error).split())
            raise MerbenchError(
                f"{self.where} cannot be loaded: {reason}",
                fix="check the spelling and the connection, or give a copy of the repository with --root DIR"
                if self.repo
                else f"expected {self.card.layout}",
            ) from error
        return arrow_rows(found, Path(self.where).name, folder or Path())
