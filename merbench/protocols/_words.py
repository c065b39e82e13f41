"""What a result says about the protocol behind it, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from merbench.protocols._protocol import Protocol

DEFAULT_METRIC = "uar"


def primary_metric(data: Mapping[str, Any]) -> str:
    """Return the metric that is shown unless another one is asked for; `data` are a result's facts."""
    return str((data.get("protocol") or {}).get("metric", DEFAULT_METRIC))


def tell_merge(labels: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield which classes are made of several labels or renamed, and what is left out (`Merge.to_json`)."""
    if labels is None:
        return
    merged = [f"{name} = {' + '.join(own)}" for name, own in labels["classes"].items() if list(own) != [name]]
    yield from merged
    if labels["dropped"]:
        yield f"left out: {', '.join(labels['dropped'])}"


def tell_protocol(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a table of this result must say: merges, folds, and how much of the protocol it is."""
    data = result["data"]
    protocol = data.get("protocol")
    if protocol is None:
        return
    yield from tell_merge(protocol["labels"])
    if protocol["folds"] is not None:
        folds = f"{len(protocol['folds']['members'])} folds by {protocol['folds']['by']}"
        yield f"{folds}, a model for each, pooled" if "folds" in result["model"] else f"{folds}, one model"
    counts = data["label_counts"]
    tested = [counts[data["split"]]] if data["split"] in counts else counts.values()
    total = sum(n for split in tested for n in split.values())
    n = result["metrics"]["n"] + result["metrics"]["unscored"]
    natural = [cell for cell in result["cells"] if not cell["corruption"].startswith("adversarial/")]
    severities = sorted({cell["severity"] for cell in natural} - {0})
    parts = [f"{n} of {total} samples"] if n < total else []
    if severities != list(protocol["severities"]):
        parts.append(f"severity {', '.join(map(str, severities))} alone")
    if parts:
        yield f"only a part of protocol {protocol['name']}: {' and '.join(parts)}"


def describe(protocol: Protocol) -> Iterator[tuple[str, str]]:
    """Yield name and content of everything that a protocol says, in the order of reading."""
    merge, suite, published = protocol.merge, protocol.suite, protocol.published
    yield "name", protocol.name
    yield "title", protocol.title
    yield "about", protocol.about
    yield "dataset", protocol.dataset
    yield "licence", protocol.card.licence
    if merge is None:
        yield "classes", "the dataset's own labels"
    else:
        yield "classes", "; ".join(f"{name} = {' + '.join(own)}" for name, own in merge.classes.items())
        yield "left out", ", ".join(merge.dropped) or "nothing"
    if protocol.split is not None:
        validation = protocol.split.validation
        share = validation if isinstance(validation, str) else f"{validation:.0%} of the training speakers"
        yield "split", f"train {protocol.split.train}, validation {share}, test {protocol.split.test}"
        if protocol.split.share_speakers:
            yield "speakers", "some are trained on and tested, as the split's authors meant"
    if protocol.folds is not None:
        for k, members in enumerate(protocol.folds.members, 1):
            yield f"fold {k}", f"{protocol.folds.by} {', '.join(members)}"
        validation = protocol.folds.validation
        chosen = "the next fold" if validation == "next" else f"{validation:.0%} of the training speakers"
        yield "validation", chosen
    yield "unit", protocol.unit
    yield "metric", protocol.metric
    yield "transcript", protocol.transcript or "not said"
    yield "corruptions", ", ".join(suite.corruptions)
    yield "severities", ", ".join(map(str, suite.severities))
    yield "noise folds", ", ".join(map(str, suite.noise_folds)) or "each corruption's own"
    yield "SNR reference", suite.snr_reference or "each corruption's own"
    yield "faces", "frames are not cropped" if suite.faces is None else f"cropped, {suite.faces}"
    yield "seed", f"{suite.seed}, {suite.replicates} draw{'s' if suite.replicates > 1 else ''} per cell"
    yield "reference", protocol.reference or "none: corruption errors are relative to no model"
    if published is not None:
        for what, table in (
            ("labels", published.labels),
            ("classes", published.classes),
            ("parts", published.parts),
        ):
            if table:
                yield f"published {what}", ", ".join(f"{name}: {n}" for name, n in table.items())
        yield "published in all", f"{published.utterances or '-'} utterances; {published.source}"
    for i, entry in enumerate(protocol.bibliography):
        yield "" if i else "cite", entry
