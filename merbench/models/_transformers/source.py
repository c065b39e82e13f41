"""From a folder or a hub id to the files of one checkpoint; nothing of them is executed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from collections.abc import Iterable

CONFIG = "config.json"
SAFETENSORS = ("model.safetensors", "model.safetensors.index.json")
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_CONTENT = ("*.json", "*.txt", "*.model", "*.jinja")  # configuration, vocabularies, merges, sentencepiece
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_TIMEOUT_S = 10.0  # for the one question whether the hub can be reached; the library itself retries


def find_checkpoint(name: str, revision: str | None) -> Path:
    """Return the folder that holds the checkpoint `name`, fetched from the hub if it has to be.

    What is in the hub's cache is taken from there without asking the network.

    Args:
        name: a folder, or ``owner/model`` on the Hugging Face hub.
        revision: a branch, tag or commit of the hub's repository; ``None`` is its main branch.

    Raises:
        MerbenchError: it is neither; the folder lacks its configuration or weights; the model is not cached
            and the hub cannot be reached, does not have it, or does not let it be read.
    """
    folder = Path(name)
    if folder.is_dir():
        if revision is not None:
            raise MerbenchError(f"'{name}' is a folder: it has no revision", fix="leave revision out")
        if not (folder / CONFIG).is_file():
            raise MerbenchError(
                f"the folder {name} has no {CONFIG}",
                fix="name the folder that save_pretrained() wrote, or one with a checkpoint.json",
            )
        if weights_of(folder) is None:
            raise MerbenchError(
                f"the folder {name} has no weights ({' or '.join((SAFETENSORS[0], PICKLED[0]))})",
                fix="put them beside its config.json",
            )
        return folder
    if not _HUB_ID.fullmatch(name):
        raise MerbenchError(
            f"there is no folder {name}", fix="check the path; a model of the hub is written owner/model"
        )
    return _cached(name, revision) or _fetched(name, revision)


def weights_of(folder: Path) -> str | None:
    """Return the name of the file by which the weights are loaded; safetensors go first."""
    return next((name for name in (*SAFETENSORS, *PICKLED) if (folder / name).is_file()), None)


def content(folder: Path) -> list[Path]:
    """Return every file that decides what the model answers, in the order of their names."""
    weights = "*.safetensors" if weights_of(folder) in SAFETENSORS else "pytorch_model*.bin"
    found = {path for pattern in (*_CONTENT, weights) for path in folder.glob(pattern)}
    return sorted(found, key=lambda path: path.name)


def _cached(name: str, revision: str | None) -> Path | None:
    """Return the snapshot in the cache, if it is there with its weights."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise MerbenchError(
            f"'{name}' is neither a folder here nor a name that the hub allows", fix="check the spelling"
        ) from error
    return folder if (folder / CONFIG).is_file() and weights_of(folder) else None


def _fetched(name: str, revision: str | None) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    at = "" if revision is None else f" --revision {revision}"
    command = f"'hf download {name}{at}'"
    try:
        info = HfApi().model_info(name, revision=revision, timeout=_TIMEOUT_S)
        files = _needed(file.rfilename for file in info.siblings or ())
        return Path(snapshot_download(name, revision=info.sha, allow_patterns=files))
    except OfflineModeIsEnabled as error:
        raise MerbenchError(
            f"'{name}' is no folder here and not in the Hugging Face cache, and HF_HUB_OFFLINE forbids to "
            "fetch it",
            fix=f"run {command} with HF_HUB_OFFLINE=0, or on a machine with a network, and copy the folder",
        ) from error
    except GatedRepoError as error:
        raise MerbenchError(
            f"the hub does not let you read '{name}'", fix="accept its licence there, and run 'hf auth login'"
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        what = "a model on the hub" if revision is None else f"on the hub in revision '{revision}'"
        raise MerbenchError(
            f"'{name}' is neither a folder here nor {what}", fix="check the spelling"
        ) from error
    except Exception as error:  # of the HTTP library, whichever the hub's client happens to use
        raise MerbenchError(
            f"'{name}' is no folder here and not in the Hugging Face cache, and the hub cannot be reached "
            f"({type(error).__name__}: {error})",
            fix=f"run {command} where there is a network, or name a folder",
        ) from error


def _needed(files: Iterable[str]) -> list[str]:
    """Return the files of a repository to fetch: no pickles where there are safetensors."""
    top = [file for file in files if "/" not in file]
    safe = any(file in SAFETENSORS for file in top)
    endings = (".json", ".txt", ".model", ".jinja", ".safetensors" if safe else ".bin")
    return [file for file in top if file.endswith(endings)]
