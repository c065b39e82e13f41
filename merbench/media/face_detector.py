"""A face detector from an ONNX file, of the form in which Ultra-Light-Fast-Generic-Face-Detector comes.

The network takes RGB frames scaled to its own size and answers candidates. The scale (x - 127) / 128
and the least score of 0.7 are those of the project's own ``run_video_face_detect_onnx.py``. Candidates
that overlap a better one by more than 0.3 are the same face; two people's seldom do. Of the faces left
the largest counts: in a recording of one speaker it is theirs.

The project: github.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB (MIT); its file
``version-RFB-320.onnx`` is what this was tried with. merbench brings no detector along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.errors import MerbenchError
from merbench.hashing import hash_file
from merbench.media.faces import UNITS, overlap

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from merbench.media.faces import Box

_MEAN, _SCALE = 127.0, 128.0
_SCORE = 0.7
_OVERLAP = 0.3

_FORM = (
    "give an ONNX file with one float input [1, 3, H, W] and the outputs scores [1, N, 2] and "
    "boxes [1, N, 4], such as Ultra-Light RFB-320"
)


class FaceDetector:
    """Finds the largest face in a frame, on one thread: no answer depends on the machine's load.

    `sha256` of the file is what a recipe knows it by. May be called from several threads.
    """

    def __init__(self, path: Path) -> None:
        """Open the network.

        Raises:
            MerbenchError: there is no such file, or it is no face detector of this form.
        """
        import onnxruntime as ort

        if not path.is_file():
            raise MerbenchError(f"there is no face detector at {path}", fix=_FORM)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors: they are raised as well
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no base class
            first = str(error).splitlines()[0]
            raise MerbenchError(
                f"{path} is not an ONNX network that can be run: {first}", fix=_FORM
            ) from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self._scores, self._boxes = _columns(outputs, 2), _columns(outputs, 4)
        self._input = inputs[0].name if len(inputs) == 1 and _is_picture(inputs[0]) else None
        if None in (self._input, self._scores, self._boxes):
            told = ", ".join(f"{node.name} {list(node.shape)}" for node in (*inputs, *outputs))
            raise MerbenchError(f"{path} is no face detector: it has {told}", fix=_FORM)
        self._size: tuple[int, int] = tuple(inputs[0].shape[2:])
        self.sha256 = hash_file(path)

    def __call__(self, frame: npt.NDArray[np.uint8]) -> Box | None:
        """Return the largest face in a frame uint8 [H, W, 3], ``None`` where there is none.

        Boxes lie on the grid of `UNITS`: what is left of the last bits in which processors differ is gone.
        """
        from PIL import Image

        height, width = self._size
        picture = Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR)
        scaled = (np.asarray(picture, dtype=np.float32) - _MEAN) / _SCALE
        scores, boxes = self._session.run(
            [self._scores, self._boxes], {self._input: scaled.transpose(2, 0, 1)[None]}
        )
        faces = _distinct(scores[0, :, 1], boxes[0])
        return max(faces, key=_area, default=None)


def _is_picture(node: Any) -> bool:
    shape = node.shape
    return (
        node.type == "tensor(float)"
        and len(shape) == 4
        and shape[1] == 3
        and all(isinstance(side, int) for side in shape[2:])
    )


def _columns(nodes: list[Any], width: int) -> str | None:
    """Return the name of the only output [1, N, width]."""
    found = [node.name for node in nodes if len(node.shape) == 3 and node.shape[2] == width]
    return found[0] if len(found) == 1 else None


def _distinct(scores: npt.NDArray[np.float32], boxes: npt.NDArray[np.float32]) -> list[Box]:
    """Return the boxes of the faces: of candidates that overlap only the best, best first."""
    likely = np.flatnonzero(scores > _SCORE)
    kept: list[Box] = []
    for i in likely[np.argsort(-scores[likely], kind="stable")]:
        left, top, right, bottom = np.clip(np.rint(boxes[i].astype(np.float64) * UNITS), 0, UNITS).astype(int)
        box = (int(left), int(top), int(right), int(bottom))
        if _area(box) > 0 and all(overlap(box, better) <= _OVERLAP for better in kept):
            kept.append(box)
    return kept


def _area(box: Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])
