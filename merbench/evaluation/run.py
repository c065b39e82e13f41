"""One evaluation from end to end: load the model, map labels, refuse contamination, run, score."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from merbench.errors import MerbenchError
from merbench.evaluation.marks import marks_of
from merbench.evaluation.result import model_facts, read_result, write_result
from merbench.evaluation.runner import Run, discard_parts, read_state, run_identity, run_model
from merbench.evaluation.valued import map_answers
from merbench.files import locked
from merbench.hashing import hash_file, hash_json
from merbench.models._load import load_model
from merbench.suites.content import content_root
from merbench.suites.verify import roots_of
from merbench.types import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from merbench.attacks import Attack
    from merbench.evaluation.attacked import Attacked
    from merbench.evaluation.marks import Mark
    from merbench.labels import LabelMap
    from merbench.models import Adapter
    from merbench.suites.overlay import Overlay
    from merbench.suites.source import Source

PLACEHOLDER = "{fold}"
"""What stands for a fold's number in ``--model 'runs/fold{fold}'``."""


class Entrant(NamedTuple):
    """A model that may be scored on a suite, where its labels go, and what must be said about it."""

    adapter: Adapter
    labels: LabelMap
    marks: list[Mark]


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
    overlay: Overlay | None = None,
    attacks: Sequence[Attack] = (),
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    device: str = "cpu",
    precision: str = "float32",
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Score `model` on `source`; return the run's folder and its result.

    With ``{fold}`` in its name it is a model per fold, each scored on its own fold's test part
    (`merbench.evaluation.folds`).

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
        overlay: labels that people gave to the corrupted clips, unless the suite has its own.
        attacks: scored as further cells, made against this model (`merbench.evaluation.attacked`).
        severities: their budgets, 1 to 5.
        seed: of their random starts.
        device: where the model computes: ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
        precision: what a torch model computes in: ``float32``, ``bfloat16`` or ``float16``.
        workers: threads that decode.
        progress: called with the number of samples just finished.

    Raises:
        MerbenchError: the model cannot be loaded, its labels do not fit, it was trained on the data, or
            anything that `run_model` refuses.
    """
    if overlay is not None and source.overlay is not None:
        raise MerbenchError(
            "the suite has labels laid over it already", fix="leave --labels-overlay out, or build it without"
        )
    if PLACEHOLDER in model and attacks:
        raise MerbenchError(
            "a model per fold cannot be attacked as one: its cells would be those of several models",
            fix="attack each fold's model by itself, or leave --attack out",
        )
    if PLACEHOLDER in model:
        from merbench.evaluation.folds import evaluate_folds  # which calls this function for every fold

        return evaluate_folds(
            source,
            model,
            folder,
            label_mode=label_mode,
            batch_size=batch_size,
            reference=reference,
            verify=verify,
            allow_contaminated=allow_contaminated,
            overlay=overlay,
            device=device,
            precision=precision,
            workers=workers,
            progress=progress,
        )
    adapter, labels, marks = admit(
        source,
        model,
        label_mode=label_mode,
        allow_contaminated=allow_contaminated,
        device=device,
        precision=precision,
    )
    attacked: Attacked | None = None
    if attacks:
        # Here, for torch takes a second to import.
        from merbench.evaluation.attack_reliability import require_agreement, told
        from merbench.evaluation.attacked import attack_model

        attacked = attack_model(source, adapter, labels, attacks, severities, seed=seed)
        source = attacked
    identity = run_identity(source, adapter, labels)
    target = folder or Path("runs") / f"{folder_name(adapter.name)}-{hash_json(identity)[:8]}"
    with locked(target):
        finished = None if identity["fingerprint"] is None else _finished(target, identity)
        root = source.content_root
        if finished is None:
            if attacked is not None:
                require_agreement(attacked)
            run = run_model(
                source, adapter, labels, target, batch_size=batch_size, workers=workers, progress=progress
            )
        else:
            predictions = target / finished["predictions"]["file"]
            run = Run(target, predictions, finished["cost"], finished["environment"], finished.get("faces"))
            root = root or finished["content_root"]
        if root is None and verify:
            root = content_root(roots_of(source if attacked is None else attacked.natural))
        result = write_result(
            run,
            source,
            model_facts(adapter),
            labels,
            marks,
            content_root=root,
            reference=reference,
            overlay=source.overlay if overlay is None else overlay,
            tell_attacks=None if attacked is None else partial(told, attacked, _probed(attacked, finished)),
        )
        discard_parts(target)
    return target, result


def admit(
    source: Source,
    model: str,
    *,
    label_mode: str = "strict",
    allow_contaminated: bool = False,
    device: str = "cpu",
    precision: str = "float32",
) -> Entrant:
    """Load a model and check that it may be scored on `source`; the arguments are those of `evaluate`.

    Raises:
        MerbenchError: the model cannot be loaded, its labels do not fit, or it was trained on the data.
    """
    facts = source.facts
    utterances = source.index()
    adapter = load_model(
        model,
        label_counts=facts.label_counts,
        target_means=facts.named_means,
        device=device,
        precision=precision,
    )
    labels = map_answers(adapter, facts, label_mode)  # type: ignore[arg-type]
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
    return Entrant(adapter, labels, marks)


def _probed(attacked: Attacked, finished: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return what a finished run was told of its attacks, or ask the model."""
    from merbench.evaluation.attack_reliability import probe, probe_of

    return probe(attacked) if finished is None else probe_of(finished)


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
