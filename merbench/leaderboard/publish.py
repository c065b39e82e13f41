"""A row on the Hugging Face hub: the row, its answers, and its scores as ``model-index`` metadata.

Nothing else is sent. Answers hold ids, labels and probabilities; of a dataset that may not be
redistributed they hold no word of a model's own either (`merbench.record`), and a row whose answers do is
refused.
"""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError
from merbench.leaderboard.verify import require_verified
from merbench.record.answers import require_withheld
from merbench.record.store import open_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from huggingface_hub import EvalResult, HfApi, ModelCard

    from merbench.leaderboard.row import Row

_CARD = "README.md"
_TASK = ("emotion-recognition", "Multimodal emotion recognition under noise")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


@dataclass(frozen=True)
class Package:
    """What goes to a repository.

    `files` are bytes by path in it; `scores` become the metadata of its model card, beside what is
    there already.
    """

    repository: str
    model: str
    files: Mapping[str, bytes]
    scores: tuple[EvalResult, ...]

    @property
    def metadata(self) -> str:
        """The ``model-index`` as YAML, as it stands on a card that has no other."""
        from huggingface_hub import ModelCardData

        return str(ModelCardData(model_name=self.model, eval_results=list(self.scores)).to_yaml())


def prepare(path: Path, repository: str) -> Package:
    """Return what publishing the row at `path` sends; nothing is sent or fetched.

    Raises:
        MerbenchError: the row is not verified, its answers may not be published, or the repository has
            no proper name.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise MerbenchError(f"'{repository}' is no repository on the hub", fix="write OWNER/NAME")
    row = require_verified(path)
    if row.suite.restricted:
        require_withheld(path, open_rows(path, row))
    beside = path.with_name(row.predictions.file)
    files = {f"merbench/{row.board}/{file.name}": file.read_bytes() for file in (path, beside)}
    return Package(repository, row.model.name, files, tuple(_scores(row)))


def send(package: Package) -> str:
    """Send a package in one commit, and return the commit's address; a card that is there keeps its text.

    Raises:
        MerbenchError: the hub refuses, or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined] # its HTTP library's

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        card = _merged(_card(api, package.repository), package)
        operations = [
            CommitOperationAdd(path_in_repo=name, path_or_fileobj=content)
            for name, content in {**package.files, _CARD: card}.items()
        ]
        with warnings.catch_warnings():
            # The client wonders about a data file in a model's repository: it is meant to be there.
            warnings.simplefilter("ignore", UserWarning)
            commit = api.create_commit(package.repository, operations, commit_message="Add merbench scores")
    except (HTTPError, OSError, RuntimeError, ValueError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise MerbenchError(
            f"the hub did not take {package.repository}: {reason}",
            fix="make the repository first ('hf repos create'), and log in with a token that may write "
            "('hf auth login' or HF_TOKEN)",
        ) from error
    return str(commit.commit_url)


def _scores(row: Row) -> list[EvalResult]:
    """Return the row's scores clean, under all noise, and under each family, in every metric."""
    from huggingface_hub import EvalResult

    scopes = {"clean": {name: row.figures.clean[name] for name in row.figures.overall}}
    for name, robustness in (
        ("noise", row.figures.overall),
        *((family.family, family.robustness) for family in row.figures.families),
    ):
        scopes[name] = {metric: score.noisy for metric, score in robustness.items()}
    return [
        EvalResult(
            task_type=_TASK[0],
            task_name=_TASK[1],
            dataset_type=row.suite.dataset,
            dataset_name=f"{row.board} ({scope})",
            dataset_config=scope,
            dataset_split=row.suite.split,
            dataset_revision=row.suite.content_root,
            metric_type=metric,
            metric_value=round(value, 4),
            metric_name=f"{metric} {'' if scope == 'clean' else 'under '}{scope}",
        )
        for scope, values in scopes.items()
        for metric, value in values.items()
        if value is not None
    ]


def _card(api: HfApi, repository: str) -> ModelCard:
    """Return the repository's model card, an empty one if it has none."""
    from huggingface_hub import ModelCard
    from huggingface_hub.errors import EntryNotFoundError

    with TemporaryDirectory() as folder:
        try:
            found = Path(api.hf_hub_download(repository, _CARD, local_dir=folder))
        except EntryNotFoundError:
            return ModelCard("---\n{}\n---\n")
        return ModelCard(found.read_text(encoding="utf-8"))


def _merged(card: ModelCard, package: Package) -> bytes:
    """Return the card with the package's scores; scores of other evaluations stay, ours are replaced."""
    data: Any = card.data  # the class of a model card's data does not declare its fields
    kept = [
        result
        for result in data.eval_results or []
        if not any(score.is_equal_except_value(result) for score in package.scores)
    ]
    data.model_name = data.model_name or package.model
    data.eval_results = [*kept, *package.scores]
    return str(card).encode()
