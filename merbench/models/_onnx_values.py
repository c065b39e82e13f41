"""An ONNX network that answers numbers (`merbench.targets`): its TOML has targets in place of labels.

::

    [model]
    file = "network.onnx"                  # relative to this TOML
    targets = ["valence", "arousal"]       # in the order of the network's output
    trained_on = ["iemocap"]               # datasets; [] for none; leave out if nobody knows

    [input]
    front_end = "waveform"                 # as in `merbench.models._onnx`

    [output]
    kind = "values"
    missing = [0.0, 0.0]                   # what to answer where the modality is missing
    name = "scores"                        # only if the network has several outputs

Networks of labels keep a file of their own: the fingerprints of published rows cover it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from merbench.errors import MerbenchError
from merbench.hashing import combine, hash_file
from merbench.models._adapter import Adapter, TrainingRecord, Valued
from merbench.models._front_ends import make_front_end
from merbench.models._onnx import OnnxModel, _Network, _parse, read_onnx
from merbench.options import build, option

if TYPE_CHECKING:
    from merbench.models._front_ends import FrontEnd
    from merbench.types import Batch

_SECTIONS = ("model", "input", "output")


@dataclass(frozen=True)
class _ModelSection:
    file: Path | None = option(None, "the ONNX file, relative to the TOML")
    targets: tuple[str, ...] = option((), "what its values are of, in the order of its output")
    trained_on: tuple[str, ...] | None = option(None, "names of the datasets it was trained on")


@dataclass(frozen=True)
class _OutputSection:
    kind: Literal["values"] = option("values", "what the network answers")
    name: str | None = option(None, "the output to read, if there are several")
    missing: tuple[float, ...] = option((), "the values where the modality is missing, one per target")


class OnnxValues(Adapter):
    """An ONNX network of numbers behind a front-end; made by `read_network`, and run as `OnnxModel` is."""

    def __init__(
        self,
        name: str,
        network: _Network,
        front_end: FrontEnd,
        model: _ModelSection,
        missing: tuple[float, ...],
        sources: tuple[Path, ...],
    ) -> None:
        self.name = name
        self.labels = ()
        self.targets = model.targets
        self.uses = (front_end.modality,)
        self.wants = front_end.wants
        if model.trained_on is not None:
            self.trained_on = tuple(TrainingRecord(dataset=dataset) for dataset in model.trained_on)
        self._network = network
        self._front_end = front_end
        self._missing = missing
        self._sources = sources

    def predict(self, batch: Batch) -> Valued:
        """Return values [N, K], averaged over an utterance's inputs."""
        values = np.tile(np.array(self._missing, dtype=np.float64), (len(batch), 1))
        for row in np.flatnonzero(batch.present(self._front_end.modality)):
            output = self._network.run(self._front_end(batch, int(row))).astype(np.float64)
            if output.shape[1:] != values.shape[1:]:
                raise MerbenchError(
                    f"the network of '{self.name}' answers {list(output.shape[1:])} numbers, and its TOML "
                    f"lists {len(self.targets)} targets",
                    fix="list one target per column, in its order",
                )
            values[row] = output.mean(axis=0)
        return Valued(values)

    def fingerprint(self) -> str:
        """Return a hash over the network, the TOML, the front-end's file and merbench's part in it."""
        return combine(hash_file(path) for path in self._sources)


def read_network(path: Path) -> OnnxModel | OnnxValues:
    """Return the model of labels or of values that a TOML describes.

    Args:
        path: the TOML, or the ONNX file that has a TOML of the same name beside it.

    Raises:
        MerbenchError: a file is missing or cannot be read; a key, a section or a value is wrong; names and
            network do not fit.
    """
    toml = path.with_suffix(".toml")
    sections = _parse(toml)
    if sections.get("output", {}).get("kind") != "values":
        return read_onnx(path)
    where = str(toml)
    if unknown := sorted(set(sections) - set(_SECTIONS)):
        raise MerbenchError(
            f"{where} has a section [{unknown[0]}]",
            fix=f"the sections of a network of values are [{'], ['.join(_SECTIONS)}]",
        )
    model = build(_ModelSection, f"[model] of {where}", sections.get("model", {}))
    output = build(_OutputSection, f"[output] of {where}", sections["output"])
    inputs = dict(sections.get("input", {}))
    front_end_spec, input_name = inputs.pop("front_end", None), inputs.pop("name", None)
    needed = {"[model] file": model.file, "[model] targets": model.targets}
    for key, value in {**needed, "[input] front_end": front_end_spec}.items():
        if not value:
            raise MerbenchError(f"{where} lacks {key}", fix="docs/targets.md has a whole one")
    assert model.file is not None
    if len(output.missing) != len(model.targets):
        raise MerbenchError(
            f"[output] missing of {where} has {len(output.missing)} values for {len(model.targets)} targets",
            fix="give one per target, such as the middle of its scale",
        )
    front_end = make_front_end(str(front_end_spec), inputs, f"[input] of {where}", toml.parent)
    file = toml.parent / model.file
    network = _Network(file, where, input_name, output.name)
    own = [source for source in (front_end.source,) if source is not None]
    code = (Path(__file__), *(Path(__file__).with_name(name) for name in ("_onnx.py", "_front_ends.py")))
    return OnnxValues(toml.stem, network, front_end, model, output.missing, (file, toml, *own, *code))
