"""From a protocol to the plan of its suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from merbench.errors import MerbenchError
from merbench.suites.faces import make_faces
from merbench.suites.plan import make_plan, parse_corruption
from merbench.suites.presets import expand

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from merbench.protocols import Protocol
    from merbench.suites.plan import Plan


def plan_protocol(
    protocol: Protocol,
    *,
    root: Path | None = None,
    noise_root: Path | None = None,
    face_detector: Path | None = None,
    severities: Sequence[int] | None = None,
    limit: int | None = None,
) -> Plan:
    """Plan what a protocol fixes; the arguments only say where things are, and make it smaller.

    With folds, the samples are the test parts of all of them. The suite is the same whatever is evaluated,
    one model or a model per fold.

    Args:
        protocol: what to plan.
        root: where the dataset lies; by default its folder in ``MERBENCH_DATA``.
        noise_root: where the noise lies; by default its folder in ``MERBENCH_DATA``.
        face_detector: what finds faces, if the protocol crops to them.
        severities: some of the protocol's severities; by default all of them.
        limit: keep this many samples, chosen by a hash.

    Raises:
        MerbenchError: a severity is not the protocol's, or anything that `make_plan` refuses.
    """
    suite = protocol.suite
    others = sorted(set(severities or ()) - set(suite.severities))
    if others:
        raise MerbenchError(
            f"protocol '{protocol.name}' has no severity {others[0]}",
            fix=f"choose among its severities: {', '.join(map(str, suite.severities))}",
        )
    shared = {
        "noise_root": noise_root,
        "noise_folds": suite.noise_folds or None,
        "snr_reference": suite.snr_reference,
    }
    if face_detector is not None and suite.faces is None:
        raise MerbenchError(f"protocol '{protocol.name}' crops no faces", fix="leave --face-detector out")
    dataset = protocol.open(root)
    return make_plan(
        dataset,
        [parse_corruption(spec, shared) for spec in expand(suite.corruptions)],
        tuple(severities or suite.severities),
        split=None if protocol.split is None else protocol.split.test,
        limit=limit,
        seed=suite.seed,
        replicates=suite.replicates,
        faces=make_faces(suite.faces, face_detector, dataset.media.frame_size),
        protocol=protocol.facts(),
    )
