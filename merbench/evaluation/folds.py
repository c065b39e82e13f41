"""A model per fold, each scored on its own fold's test part, pooled into one run.

Every fold is a run of its own in ``folds/1``, ``folds/2`` ... and goes on as runs do when it was killed. The
pooled run holds all of their answers: every sample once, by the model that had not seen it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from merbench.datasets._view import FOLD
from merbench.errors import MerbenchError
from merbench.evaluation.marks import Mark
from merbench.evaluation.predictions import schema_of
from merbench.evaluation.result import model_facts, read_result, write_result
from merbench.evaluation.run import PLACEHOLDER, admit, evaluate, folder_name
from merbench.evaluation.runner import Run, read_state, run_identity
from merbench.files import atomic, locked
from merbench.hashing import hash_json
from merbench.models._ensemble.grammar import read_call
from merbench.options import split_spec
from merbench.protocols import PROTOCOLS
from merbench.suites.content import content_root
from merbench.suites.faces import FaceTally
from merbench.suites.part import Part
from merbench.suites.verify import roots_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from merbench.suites.overlay import Overlay
    from merbench.suites.source import Source
    from merbench.types import Utterance


def evaluate_folds(
    source: Source,
    model: str,
    folder: Path | None = None,
    *,
    reference: dict[str, Any] | None = None,
    verify: bool = False,
    overlay: Overlay | None = None,
    label_mode: str = "strict",
    allow_contaminated: bool = False,
    device: str = "cpu",
    precision: str = "float32",
    **how: Any,
) -> tuple[Path, dict[str, Any]]:
    """Score a model per fold and pool the answers; arguments and result are those of `evaluate`.

    Every model is loaded and checked before the first one runs, and loaded again when it is its turn: they
    need not fit into memory together.

    Raises:
        MerbenchError: there are no folds, a fold's model is not there or was trained on its fold's samples
            or speakers, the models do not have the same labels and modalities, or anything that `evaluate`
            refuses.
    """
    models = _models(source, model)
    by_fold: dict[int, list[Utterance]] = {}
    for utterance in source.index():
        by_fold.setdefault(int(str(utterance.extra[FOLD])), []).append(utterance)
    parts = {fold: Part(source, tuple(by_fold[fold])) for fold in sorted(by_fold)}
    admission: dict[str, Any] = {
        "label_mode": label_mode,
        "allow_contaminated": allow_contaminated,
        "device": device,
        "precision": precision,
    }
    facts: dict[int, dict[str, Any]] = {}
    marks: dict[int, list[Mark]] = {}
    identities = []
    for fold, part in parts.items():
        try:
            adapter, labels, marks[fold] = admit(part, models[fold], **admission)
        except MerbenchError as error:
            raise MerbenchError(f"fold {fold}, {models[fold]}: {error}") from error
        facts[fold] = model_facts(adapter)
        identities.append(run_identity(part, adapter, labels))
    together = _pooled(facts, model)
    target = folder or Path("runs") / f"{folder_name(together['name'])}-folds-{hash_json(identities)[:8]}"
    if read_state(target) is not None:
        raise MerbenchError(f"{target} holds a run of one model", fix="choose another --out")
    with locked(target):
        runs = [
            evaluate(part, models[fold], target / "folds" / str(fold), **admission, **how)
            for fold, part in parts.items()
        ]
        root = source.content_root or _known_root(target, source)
        if root is None and verify:
            root = content_root(roots_of(source))
        result = write_result(
            _merged(target, runs, source),
            source,
            together,
            labels,
            _pooled_marks(marks),
            content_root=root,
            reference=reference,
            overlay=source.overlay if overlay is None else overlay,
        )
    return target, result


def _known_root(target: Path, source: Source) -> str | None:
    """Return the ``content_root`` that an earlier call found for the same suite, if one did."""
    if not (target / "result.json").exists():
        return None
    before = read_result(target)
    return before["content_root"] if before["recipe_id"] == source.recipe_id else None


def _models(source: Source, model: str) -> dict[int, str]:
    """Return every fold's model.

    Raises:
        MerbenchError: there are no folds, or a fold's model is missing where others are there.
    """
    if not source.facts.folds:
        raise MerbenchError(
            f"--model '{model}' is a model per fold, and the data have no folds",
            fix="give a protocol that has some ('merbench list protocols'), or one model",
        )
    models = {fold: model.replace(PLACEHOLDER, str(fold)) for fold in range(1, source.facts.folds + 1)}
    if read_call(model):
        return models
    places = {fold: Path(split_spec(spec)[0].partition(".py:")[0]) for fold, spec in models.items()}
    missing = [fold for fold, place in places.items() if not place.exists()]
    is_on_disk = len(missing) < len(places) or next(iter(places.values())).parent.is_dir()
    if missing and is_on_disk:
        fold, name = missing[0], str((source.facts.protocol or {})["name"])
        protocol = name if name in PROTOCOLS.names() else f"{name}.toml"
        train = f"merbench train --protocol {protocol} --fold {fold} --recipe RECIPE --out {places[fold]}"
        raise MerbenchError(
            f"there is no model of fold {fold}: {places[fold]} does not exist", fix=f"train it: {train}"
        )
    return models


def _pooled(facts: Mapping[int, dict[str, Any]], model: str) -> dict[str, Any]:
    """Return what the result says about the models together: what is common, and each one's fingerprint.

    Raises:
        MerbenchError: they do not answer the same labels from the same modalities.
    """
    first = next(iter(facts))
    for what in ("labels", "uses"):
        for fold, own in facts.items():
            if own[what] != facts[first][what]:
                raise MerbenchError(
                    f"the models of folds {first} and {fold} do not have the same {what}: "
                    f"{', '.join(facts[first][what])} and {', '.join(own[what])}",
                    fix="train every fold by the same recipe",
                )
    prints = [own["fingerprint"] for own in facts.values()]
    trained = [own["trained_on"] for own in facts.values()]
    names = {own["name"] for own in facts.values()}
    return {
        **facts[first],
        "name": names.pop() if len(names) == 1 else model,
        "options": {
            key: value
            for key, value in facts[first]["options"].items()
            if all(own["options"].get(key) == value for own in facts.values())
        },
        "fingerprint": None if None in prints else hash_json(["folds", *prints]),
        "trained_on": None if None in trained else sorted({name for names in trained for name in names}),
        "folds": {
            str(fold): {"name": own["name"], "fingerprint": own["fingerprint"]} for fold, own in facts.items()
        },
    }


def _pooled_marks(marks: Mapping[int, Sequence[Mark]]) -> list[Mark]:
    """Return every mark once; what holds for some folds only says for which."""
    found: dict[Mark, list[int]] = {}
    for fold, own in marks.items():
        for mark in own:
            found.setdefault(mark, []).append(fold)
    return [
        mark
        if len(folds) == len(marks)
        else Mark(mark.kind, f"fold {', '.join(map(str, folds))}: {mark.why}")
        for mark, folds in found.items()
    ]


def _merged(target: Path, runs: Sequence[tuple[Path, dict[str, Any]]], source: Source) -> Run:
    """Write all folds' answers into one file, and add up what they cost."""
    predictions = target / "predictions.parquet"
    schema = schema_of(source.facts.task)
    with atomic(predictions) as handle, pq.ParquetWriter(handle, schema, compression="zstd") as writer:
        for folder, result in runs:
            for batch in pq.ParquetFile(folder / result["predictions"]["file"]).iter_batches():
                writer.write_batch(batch)
    costs = [result["cost"] for _, result in runs]
    passes: dict[str, Counter[str]] = {}
    for cost in costs:
        for what, counts in cost["passes"].items():
            passes.setdefault(what, Counter()).update(counts)
    return Run(
        target,
        predictions,
        {
            "wall_s": round(sum(cost["wall_s"] for cost in costs), 3),
            "batch_size": min(cost["batch_size"] for cost in costs),
            "passes": {what: dict(counts) for what, counts in sorted(passes.items())},
        },
        runs[0][1]["environment"],
        _faces(source, [result for _, result in runs]),
    )


def _faces(source: Source, results: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Add up what the folds' results say about faces."""
    if source.cropping is None:
        return None
    tally = FaceTally()
    for result in results:
        tally.merge(result["faces"])
    return {**source.cropping, **tally.to_json()}
