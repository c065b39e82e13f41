"""Any ONNX network, described by a small TOML.

::

    [model]
    file = "network.onnx"                  # relative to this TOML
    labels = ["angry", "happy", "sad"]     # in the order of the network's output
    trained_on = ["ravdess"]               # datasets; [] for none; leave out if nobody knows

    [input]
    front_end = "image"                    # or "waveform", or "file.py:function"
    size = 64                              # further keys: the front-end's own parameters
    name = "pixels"                        # only if the network has several inputs

    [output]
    kind = "probabilities"                 # or "logits"

    [labels]                               # optional: other names; labels of one name are merged
    female_angry = "angry"

A network reads one modality. Where that is missing it knows nothing, and every label gets the same
probability: accuracy there is that of the first label, which is chance and meant to be.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from merbench.errors import MerbenchError
from merbench.hashing import combine, hash_file
from merbench.models import _probabilities
from merbench.models._adapter import Adapter, TrainingRecord
from merbench.models._front_ends import make_front_end
from merbench.options import build, option

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.models._front_ends import FrontEnd
    from merbench.types import Batch

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
}

_SUM_TOLERANCE = 1e-3  # how far probabilities may be from summing to 1: half-precision softmax


@dataclass(frozen=True)
class _ModelSection:
    file: Path | None = option(None, "the ONNX file, relative to the TOML")
    labels: tuple[str, ...] = option((), "the network's classes in the order of its output")
    trained_on: tuple[str, ...] | None = option(None, "names of the datasets it was trained on")


@dataclass(frozen=True)
class _OutputSection:
    kind: Literal["logits", "probabilities"] | None = option(None, "what the network answers")
    name: str | None = option(None, "the output to read, if there are several")


class OnnxModel(Adapter):
    """An ONNX network behind a front-end; made by `read_onnx`.

    Runs on one thread of the CPU, one utterance at a time, so that an answer depends neither on the
    machine's load nor on the rest of the batch.
    """

    def __init__(
        self,
        name: str,
        network: _Network,
        front_end: FrontEnd,
        kind: Literal["logits", "probabilities"],
        merged: tuple[str, ...],
        trained_on: tuple[str, ...] | None,
        sources: tuple[Path, ...],
    ) -> None:
        self.name = name
        self.labels = tuple(dict.fromkeys(merged))
        self.uses = (front_end.modality,)
        self.wants = front_end.wants
        self.trained_on = None if trained_on is None else tuple(TrainingRecord(dataset=d) for d in trained_on)
        self._network = network
        self._front_end = front_end
        self._kind = kind
        self._columns = [self.labels.index(label) for label in merged]
        self._sources = sources

    def predict(self, batch: Batch) -> npt.NDArray[np.float64]:
        """Return log-probabilities [N, C]; uniform where the modality is missing."""
        probabilities = np.full((len(batch), len(self.labels)), 1 / len(self.labels))
        for row in np.flatnonzero(batch.present(self._front_end.modality)):
            probabilities[row] = self._answer(self._front_end(batch, int(row)))
        return _probabilities.log(probabilities)

    def _answer(self, inputs: np.ndarray) -> npt.NDArray[np.float64]:
        """Return the merged probabilities [C] of one utterance, averaged over its inputs [K, ...]."""
        output = self._network.run(inputs).astype(np.float64)
        if self._kind == "logits":
            output = _probabilities.softmax(output)
        elif output.min() < 0 or np.abs(output.sum(axis=1) - 1).max() > _SUM_TOLERANCE:
            raise MerbenchError(
                f"the network of '{self.name}' answers {output[0].round(3).tolist()}: no probabilities",
                fix='set kind = "logits" in [output]',
            )
        mean = output.mean(axis=0)
        return np.asarray(np.bincount(self._columns, mean, len(self.labels)), dtype=np.float64)

    def fingerprint(self) -> str:
        """Return a hash over the network, the TOML, the front-end's file and merbench's part in it."""
        return combine(hash_file(path) for path in self._sources)


class _Network:
    """An ONNX session with one input and one output; errors name `where` it was described."""

    def __init__(self, path: Path, where: str, input_name: str | None, output_name: str | None) -> None:
        import onnxruntime as ort

        if not path.is_file():
            raise MerbenchError(
                f"{where} names the network {path}, which is not there", fix="put the file there"
            )
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors: they are raised as well
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise MerbenchError(
                f"{path} is not an ONNX network that can be run: {error}", fix="export it again"
            ) from error
        self._where = where
        self._input = _choose(self._session.get_inputs(), input_name, f"[input] of {where}")
        self._output = _choose(self._session.get_outputs(), output_name, f"[output] of {where}")
        if self._input.type not in _DTYPES:
            raise MerbenchError(
                f"the input '{self._input.name}' of {path} is a {self._input.type}",
                fix=f"it can be {', '.join(_DTYPES)}",
            )

    def check_width(self, labels: tuple[str, ...]) -> None:
        """Refuse a network whose output is known to have another width than there are labels."""
        width = self._output.shape[-1] if self._output.shape else None
        if isinstance(width, int) and width != len(labels):
            raise MerbenchError(
                f"{self._where} lists {len(labels)} labels, and the network's output '{self._output.name}' "
                f"has {width} columns",
                fix="list one label per column, in its order; merge them in [labels]",
            )

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Return the output [K, C] for inputs [K, ...]."""
        expected = self._input.shape
        given = inputs.shape
        fits = len(given) == len(expected) and all(
            not isinstance(want, int) or want == have
            for want, have in zip(expected[1:], given[1:], strict=True)
        )
        if not fits:
            raise MerbenchError(
                f"the front-end of {self._where} makes inputs of shape {list(given)}, and the network takes "
                f"{[axis if isinstance(axis, int) else 'any' for axis in expected]}",
                fix="mend the parameters in [input]",
            )
        array = inputs.astype(_DTYPES[self._input.type], copy=False)
        one_by_one = isinstance(expected[0], int)
        parts = [array[k : k + 1] for k in range(len(array))] if one_by_one else [array]
        outputs = [self._session.run([self._output.name], {self._input.name: part})[0] for part in parts]
        return np.concatenate(outputs)


def _choose(nodes: list[Any], name: str | None, where: str) -> Any:
    """Return the only input or output of a network, or the one of this name."""
    names = [node.name for node in nodes]
    if name is None and len(nodes) == 1:
        return nodes[0]
    if name not in names:
        what = f"asks for '{name}'" if name else "names none of them"
        raise MerbenchError(
            f"{where} {what}, and the network has {', '.join(names)}", fix="set name to one of these"
        )
    return nodes[names.index(name)]


def read_onnx(path: Path) -> OnnxModel:
    """Return the model that a TOML describes.

    Args:
        path: the TOML, or the ONNX file that has a TOML of the same name beside it.

    Raises:
        MerbenchError: a file is missing or cannot be read; a key, a section or a value is wrong; labels
            and network do not fit.
    """
    toml = path.with_suffix(".toml")
    where = str(toml)
    sections = _parse(toml)
    known = {"model", "input", "output", "labels"}
    if unknown := sorted(set(sections) - known):
        raise MerbenchError(
            f"{where} has a section [{unknown[0]}]",
            fix="the sections are [model], [input], [output], [labels]",
        )
    model = build(_ModelSection, f"[model] of {where}", sections.get("model", {}))
    output = build(_OutputSection, f"[output] of {where}", sections.get("output", {}))
    inputs = dict(sections.get("input", {}))
    front_end_spec, input_name = inputs.pop("front_end", None), inputs.pop("name", None)
    needed = {"[model] file": model.file, "[model] labels": model.labels, "[output] kind": output.kind}
    for key, value in {**needed, "[input] front_end": front_end_spec}.items():
        if not value:
            raise MerbenchError(f"{where} lacks {key}", fix="examples/face_onnx has a whole one")
    assert model.file is not None and output.kind is not None
    merged = _merged(model.labels, sections.get("labels", {}), where)
    front_end = make_front_end(str(front_end_spec), inputs, f"[input] of {where}", toml.parent)
    file = toml.parent / model.file
    network = _Network(file, where, input_name, output.name)
    network.check_width(model.labels)
    own = [source for source in (front_end.source,) if source is not None]
    code = (Path(__file__).with_name(name) for name in ("_onnx.py", "_front_ends.py", "_probabilities.py"))
    sources = (file, toml, *own, *code)
    return OnnxModel(toml.stem, network, front_end, output.kind, merged, model.trained_on, sources)


def _parse(toml: Path) -> dict[str, Any]:
    if not toml.is_file():
        raise MerbenchError(
            f"there is no {toml}",
            fix="an ONNX network needs a TOML of the same name beside it, as in examples/face_onnx",
        )
    try:
        sections = tomllib.loads(toml.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MerbenchError(f"{toml} is not TOML: {error}", fix="mend that line") from error
    for name, section in sections.items():
        if not isinstance(section, dict):
            raise MerbenchError(
                f"{toml} has the key '{name}' outside of any section", fix="put it below [model]"
            )
    return sections


def _merged(labels: tuple[str, ...], names: dict[str, Any], where: str) -> tuple[str, ...]:
    """Return every label under the name that [labels] gives it."""
    if unknown := sorted(set(names) - set(labels)):
        raise MerbenchError(
            f"[labels] of {where} renames '{unknown[0]}', which is not in [model] labels",
            fix=f"those are: {', '.join(labels)}",
        )
    if len(set(labels)) != len(labels):
        raise MerbenchError(
            f"[model] labels of {where} has a label twice", fix="merge labels in [labels] instead"
        )
    return tuple(str(names.get(label, label)) for label in labels)
