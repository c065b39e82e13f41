"""From what a user writes after ``--model`` to an adapter."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections import Counter
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from merbench.errors import MerbenchError
from merbench.hashing import combine, hash_file
from merbench.models._adapter import Adapter, models
from merbench.models._device import check_precision, find_device
from merbench.models._ensemble.adapter import combine_models
from merbench.models._ensemble.grammar import read_call
from merbench.models._onnx_values import read_network
from merbench.models._python import import_file
from merbench.models._transformers.adapter import Options, TransformersModel
from merbench.options import build, split_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKPOINT = "checkpoint.json"
"""What makes a folder a checkpoint: its model, and what that was trained on.

The model is a registered name, or ``file.py:Class`` with a path that starts from the folder.
"""

_FILE = re.compile(r"(?P<file>.+\.py):(?P<cls>[A-Za-z_]\w*)(?::(?P<options>.*))?")


def load_model(
    spec: str,
    *,
    label_counts: Mapping[str, Mapping[str, int]] | None = None,
    target_means: Mapping[str, Mapping[str, float]] | None = None,
    device: str = "cpu",
    precision: str = "float32",
    blank: bool = False,
) -> Adapter:
    """Return the model that `spec` names.

    Args:
        spec: a registered name, ``name`` or ``name:key=value,key=value``; a class in a file,
            ``path/to/file.py:Class`` or ``path/to/file.py:Class:key=value``; an ONNX file described by a
            TOML, ``path/to/model.toml``, or ``path/to/model.onnx`` with ``model.toml`` beside it; a
            checkpoint folder (one with a ``checkpoint.json``), ``DIR`` or ``DIR:key=value``; a classifier of
            the transformers library, ``owner/model`` on the hub or the folder of its files, with options;
            several of all these, ``rule(MEMBER; MEMBER; key=value)`` with the rules mean, weighted, vote
            and router, or one in part, ``only(MEMBER; modalities=audio)`` (`merbench.models._ensemble`).
        label_counts: labels by split of the data at hand, for models that answer a prior
            (`Adapter.learn_prior`): those of ``train`` if there is such a split, else of everything.
        target_means: the mean of every target by split, for the same kind of models
            (`Adapter.learn_means`); needs the counts, and takes the same splits.
        device: where to compute: ``cpu``, ``cuda``, ``cuda:1``, or ``auto`` for a GPU if there is one.
        precision: what torch models compute in: ``float32``, ``bfloat16`` or ``float16``.
        blank: only to look at it: a model that takes its labels from the data may be without.

    Raises:
        MerbenchError: there is no such name, file or class; the file cannot be imported; the class is
            not an adapter, fails to start, or has no labels; an option or the TOML is wrong.
    """
    suffix = Path(spec).suffix
    if call := read_call(spec):
        load = partial(load_model, label_counts=label_counts, device=device, precision=precision)
        adapter: Adapter = combine_models(call, cache(load))
    elif match := _FILE.fullmatch(spec):
        adapter = _from_file(Path(match["file"]), match["cls"], _options(match))
    elif suffix in (".onnx", ".toml"):
        adapter = read_network(Path(spec))
    elif suffix == ".py":
        raise MerbenchError(f"'{spec}' names a file but no class", fix=f"write {spec}:Class")
    else:
        name, values = split_spec(spec)
        if (Path(name) / CHECKPOINT).exists():
            values = {"folder": name, **values}
            name = _trained_model(Path(name))
        if match := _FILE.fullmatch(name):
            adapter = _from_checkpoint(Path(values["folder"]), match, values)
        elif name not in models and ("/" in name or Path(name).is_dir()):
            adapter = TransformersModel(name, build(Options, name, values))
        else:
            adapter = _start(models[name], models[name].name, values)
    adapter.device = find_device(device)
    adapter.precision = check_precision(precision)
    if label_counts:
        adapter.learn_prior(_prior(label_counts))
    if target_means and label_counts:
        adapter.learn_means(_means(target_means, label_counts))
    if not (blank and takes_labels(adapter)):
        _check_labels(adapter)
    return adapter


def takes_labels(adapter: Adapter) -> bool:
    """Tell whether a model still lacks labels that it takes from the data it is evaluated on."""
    learns = type(adapter).learn_prior is not Adapter.learn_prior
    return learns and not getattr(adapter, "labels", ())


def with_option(spec: str, key: str, value: str) -> str:
    """Return `spec` with one option more."""
    if read_call(spec):
        return f"{spec.rstrip().removesuffix(')')}; {key}={value})"
    match = _FILE.fullmatch(spec)
    options = match["options"] if match else spec.partition(":")[2]
    return f"{spec}{',' if options else ':'}{key}={value}"


def _trained_model(folder: Path) -> str:
    """Return the name of the model whose checkpoint lies in `folder`."""
    path = folder / CHECKPOINT
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["model"])
    except (ValueError, KeyError, TypeError) as error:
        raise MerbenchError(
            f"{path} does not say which model it belongs to ({type(error).__name__})",
            fix='its field "model" is a registered name or file.py:Class; train again, or restore the file',
        ) from error


def _prior(label_counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Count the labels that may be known before testing; classes that only other splits have count 0."""
    everything: Counter[str] = Counter()
    for counts in label_counts.values():
        everything.update(counts)
    known = label_counts.get("train", everything)
    return {label: known.get(label, 0) for label in sorted(everything)}


def _means(
    target_means: Mapping[str, Mapping[str, float]], label_counts: Mapping[str, Mapping[str, int]]
) -> dict[str, float]:
    """Return the mean of every target over what may be known before testing."""
    splits = ["train"] if "train" in target_means else list(target_means)
    sizes = {split: sum(label_counts[split].values()) for split in splits}
    total = sum(sizes.values())
    return {
        name: sum(target_means[split][name] * size for split, size in sizes.items()) / total
        for name in target_means[splits[0]]
    }


def _from_checkpoint(folder: Path, match: re.Match[str], values: dict[str, str]) -> Adapter:
    """Return the model of a checkpoint folder whose class is in a file beside or above it."""
    path = folder / match["file"]
    if not path.is_file():
        raise MerbenchError(
            f"{folder / CHECKPOINT} names the model {match['file']}, and {path} is not there",
            fix="move the folder back, or mend the path, which starts from the folder",
        )
    return _from_file(path, match["cls"], {**_options(match), **values})


def _options(match: re.Match[str]) -> dict[str, str]:
    return split_spec(f":{match['options'] or ''}")[1]


def _from_file(path: Path, name: str, values: dict[str, str]) -> Adapter:
    module = import_file(path)
    cls = getattr(module, name, None)
    if not (inspect.isclass(cls) and issubclass(cls, Adapter)):
        there = [
            key
            for key, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, Adapter) and value.__module__ == module.__name__
        ]
        what = (
            f"has no class '{name}'"
            if cls is None
            else f"has a '{name}', but it is no merbench.models.Adapter"
        )
        fix = (
            f"its adapters are: {', '.join(there)}"
            if there
            else "derive a class from merbench.models.Adapter"
        )
        raise MerbenchError(f"{path} {what}", fix=fix)
    covered = _covering_source(cls, path)
    return _start(covered, covered.name, values)


def _covering_source(cls: type[Adapter], path: Path) -> type[Adapter]:
    """Return the class named after its file, whose fingerprint also covers the file's source.

    A class without a fingerprint stays without: its source says nothing about the weights it may read,
    and a cache must never serve one model's answers as another's.
    """

    def fingerprint(self: Adapter) -> str | None:
        own = cls.fingerprint(self)
        return None if own is None else combine([hash_file(path), own])

    members = {"name": f"{path.name}:{cls.__name__}", "fingerprint": fingerprint, "__doc__": cls.__doc__}
    return type(cls.__name__, (cls,), members)


def _start(cls: type[Adapter], name: str, values: dict[str, str]) -> Adapter:
    missing = ", ".join(sorted(cls.__abstractmethods__))
    if missing:
        raise MerbenchError(f"'{name}' does not implement {missing}", fix="see merbench.models.Adapter")
    if values and not dataclasses.is_dataclass(cls):
        raise MerbenchError(
            f"'{name}' takes no options", fix="make it a dataclass with merbench.options.option fields"
        )
    try:
        return build(cls, name, values) if values else cls()
    except MerbenchError:
        raise
    except Exception as error:
        raise MerbenchError(
            f"'{name}' cannot be started: {type(error).__name__}: {error}",
            fix="mend its __init__ or its options",
        ) from error


def _check_labels(adapter: Adapter) -> None:
    labels = getattr(adapter, "labels", ())
    if not labels and adapter.targets:
        adapter.labels = ()
    elif not labels or not all(isinstance(label, str) for label in labels):
        raise MerbenchError(
            f"'{adapter.name}' has no labels", fix="set labels: a tuple of strings in the order of its logits"
        )
