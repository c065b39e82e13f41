"""One evaluation from end to end: load the model, map labels, refuse contamination, run, score."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError
from merbench.evaluation.marks import marks_of
from merbench.evaluation.result import read_result, write_result
from merbench.evaluation.runner import Run, discard_parts, read_state, run_identity, run_model
from merbench.files import locked
from merbench.hashing import hash_file, hash_json
from merbench.labels import map_labels
from merbench.models._load import load_model
from merbench.suites.content import content_root
from merbench.suites.verify import roots_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from merbench.suites.source import Source


def evaluate(
    source: Source,
    model: str,
    folder: Path | None = None,
    *,
    label_mode: str = "strict",
    batch_size: int | None = None,
    reference: dict[str, Any] | None = None,
    verify: bool = False,
    allow_contaminated: bool = False,
    device: str = "cpu",
    precision: str = "float32",
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Score `model` on `source`; return the run's folder and its result.

    A folder that already holds this run is scored again from its predictions; the model does not run.

    Args:
        source: a plan (streamed) or a suite (built).
        model: what ``--model`` takes.
        folder: the run's folder; by default ``runs/<model>-<hash>``.
        label_mode: ``strict``, ``subset`` or ``closed`` (see `merbench.labels`).
        batch_size: rows per call; ``None`` takes the adapter's own.
        reference: another run's result, for relative corruption errors.
        verify: hash the streamed media into the result's ``content_root``.
        allow_contaminated: score, and mark, a model that was trained on these samples, speakers or noise.
        device: where the model computes: ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
        precision: what a torch model computes in: ``float32``, ``bfloat16`` or ``float16``.
        workers: threads that decode.
        progress: called with the number of samples just finished.

    Raises:
        MerbenchError: the model cannot be loaded, its labels do not fit, it was trained on the data, or
            anything that `run_model` refuses.
    """
    facts = source.facts
    utterances = source.index()
    adapter = load_model(model, label_counts=facts.label_counts, device=device, precision=precision)
    labels = map_labels(adapter.labels, facts.labels, label_mode)  # type: ignore[arg-type]
    scored = [u for u in utterances if u.label in labels.classes]
    if not scored:
        raise MerbenchError(
            f"no sample of {facts.dataset} has one of the shared classes ({', '.join(labels.classes)})",
            fix="choose another split, more samples, or another model",
        )
    marks = marks_of(adapter.trained_on, facts, scored, source.cells)
    seen = next((mark for mark in marks if mark.kind == "contaminated"), None)
    if seen is not None and not allow_contaminated:
        raise MerbenchError(
            f"{adapter.name} was trained on this data: {seen.why}",
            fix="evaluate on data it has not seen, or pass --allow-contaminated to score and mark it",
        )
    identity = run_identity(source, adapter, labels)
    target = folder or Path("runs") / f"{folder_name(adapter.name)}-{hash_json(identity)[:8]}"
    with locked(target):
        finished = None if identity["fingerprint"] is None else _finished(target, identity)
        root = source.content_root
        if finished is None:
            run = run_model(
                source, adapter, labels, target, batch_size=batch_size, workers=workers, progress=progress
            )
        else:
            predictions = target / finished["predictions"]["file"]
            run = Run(target, predictions, finished["cost"], finished["environment"])
            root = root or finished["content_root"]
        if root is None and verify:
            root = content_root(roots_of(source))
        result = write_result(run, source, adapter, labels, marks, content_root=root, reference=reference)
        discard_parts(target)
    return target, result


def folder_name(text: str) -> str:
    """Return `text` as it can be part of a file's name anywhere."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")


def _finished(folder: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """Return the result of exactly this run, if the folder already holds it with its predictions."""
    state = read_state(folder)
    if state is None or state["run_id"] != hash_json(identity) or not (folder / "result.json").exists():
        return None
    result = read_result(folder)
    predictions = folder / result["predictions"]["file"]
    whole = predictions.exists() and hash_file(predictions) == result["predictions"]["sha256"]
    return result if whole else None
