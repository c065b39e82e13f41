"""Checkpoints of the transformers library: their files, from a folder or the hub, and their weights.

Nothing of a checkpoint is ever executed.
"""

from __future__ import annotations

import contextlib
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CONFIG = "config.json"
SAFETENSORS = ("model.safetensors", "model.safetensors.index.json")
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_CONTENT = ("*.json", "*.txt", "*.model", "*.jinja")  # configuration, vocabularies, merges, sentencepiece
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_LAYER = re.compile(r"(.+?\.)\d+\.")
_TRAINING_ONLY = ("masked_spec_embed",)  # HuBERT and its kin: what replaces frames masked out in training
_UNBOUNDED = 1_000_000  # a tokenizer without a limit says 1e30
_RESERVED_POSITIONS = 2  # RoBERTa's positions start after its padding index
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


def read_config(folder: Path, name: str) -> Any:
    """Return the configuration of a checkpoint.

    Raises:
        MerbenchError: it cannot be read, or needs code of its own.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        raise MerbenchError(
            f"the configuration of '{name}' cannot be read: {first_line(error)}",
            fix="a model that needs code of its own is brought as file.py:Class",
        ) from error


def read_tokenizer(folder: Path, name: str) -> Any:
    """Return the tokenizer of a checkpoint.

    Raises:
        MerbenchError: it cannot be read, or has no vocabulary.
    """
    from transformers import AutoTokenizer

    fix = "put its tokenizer.json, vocab.txt or tokenizer.model beside its config.json"
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        raise MerbenchError(
            f"the tokenizer of '{name}' cannot be read: {first_line(error)}", fix=fix
        ) from error
    if len(tokenizer) <= len(tokenizer.all_special_tokens):  # the library starts without one
        raise MerbenchError(f"the vocabulary of '{name}' is not there", fix=fix)
    return tokenizer


def longest_input(tokenizer: Any, config: Any) -> int:
    """Return how many tokens a network of texts takes in, special ones included."""
    longest = int(tokenizer.model_max_length)
    if longest > _UNBOUNDED:
        longest = (getattr(config, "max_position_embeddings", None) or _UNBOUNDED) - _RESERVED_POSITIONS
    return longest


def load_network(
    auto: Any, folder: Path, config: Any, name: str, *, kind: str, precision: str = "float32"
) -> Any:
    """Return the network on the CPU in evaluation mode, every weight of it read from the checkpoint.

    Args:
        auto: one of the library's AutoModel classes.
        folder: where the checkpoint lies.
        config: its configuration.
        name: what it is called in messages.
        kind: what it ought to be, for messages.
        precision: name of a torch type.

    Raises:
        MerbenchError: weights are damaged, missing, of another shape, not finite, or of more layers than
            the configuration has; a pickle holds anything but tensors.
    """
    import torch

    weights = weights_of(folder)
    try:
        with quiet():
            network, report = auto.from_pretrained(
                folder,
                config=config,
                dtype=getattr(torch, precision),
                use_safetensors=weights in SAFETENSORS,
                weights_only=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported, and refused below with their names
            )
    except pickle.UnpicklingError as error:  # torch's own words advise to execute it
        raise MerbenchError(
            f"the weights of '{name}' ({folder / str(weights)}) are damaged or hold more than tensors: they "
            "were refused, and nothing of them was executed",
            fix="fetch them again, or convert them to safetensors where you trust them",
        ) from error
    except Exception as error:
        raise MerbenchError(
            f"the weights of '{name}' ({folder / str(weights)}) cannot be loaded: {first_line(error)}",
            fix="fetch or save the checkpoint again",
        ) from error
    shapes = sorted(str(key[0]) for key in report["mismatched_keys"])
    missing = sorted(key for key in report["missing_keys"] if not key.endswith(_TRAINING_ONLY))
    deeper = _beyond(report["unexpected_keys"], network.state_dict())
    problems = {"lack": missing, "have another shape for": shapes, "have layers that it has not:": deeper}
    for what, keys in problems.items():
        if keys:
            raise MerbenchError(
                f"the weights of '{name}' {what} {', '.join(keys[:3])}"
                + (f" and {len(keys) - 3} more" if len(keys) > 3 else ""),
                fix=f"this is not {kind} of this configuration: name one that is",
            )
    for key, weight in network.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise MerbenchError(
                f"the weights of '{name}' hold NaN or infinity in {key}", fix="train or fetch it again"
            )
    return network.eval()


def _beyond(unexpected: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the tensors of layers behind the last one of a known stack.

    Heads of another task are often left in a checkpoint and do no harm; a stack cut short answers otherwise.
    """
    stacks = {found[1] for name in known if (found := _LAYER.match(name))}
    return sorted(name for name in unexpected if (found := _LAYER.match(name)) and found[1] in stacks)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the library from reporting on a terminal what is checked and said here."""
    from transformers import utils

    reports: Any = utils.logging  # untyped
    level, bars = reports.get_verbosity(), reports.is_progress_bar_enabled()
    reports.set_verbosity_error()
    reports.disable_progress_bar()
    try:
        yield
    finally:
        reports.set_verbosity(level)
        if bars:
            reports.enable_progress_bar()


def first_line(error: Exception) -> str:
    """Return an error of a library as one line."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
