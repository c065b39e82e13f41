"""A suite whose frames are crops of the face.

Noise gets into the camera's picture, and a recognition system cuts the face out of what it gets. So a
corruption works on the frame as it was filmed, and only then is the face cut out. Two ways to go on:

``fixed``     with the box of the clean clip: what is measured is the model behind the detector.
``redetect``  with the box that the detector finds in the corrupted clip: what is measured is the whole
              system. Where it finds none in any frame of a clip, there is nothing to cut out: vision is
              missing, as it is behind any such detector, and the loss is reported.

A corruption that puts another recording in the place of this one (`Corruption.exchanges`) gets crops.

The box of a clean clip is the dataset's, or else the detector's, or else the one in the middle; with
``redetect`` the detector is asked first, for a change of convention between two boxes is no loss.

This is of the suite and not of `MediaSpec`, since a reader, which decodes, cannot do it.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from merbench.errors import MerbenchError
from merbench.media.face_detector import FaceDetector
from merbench.media.faces import CENTRED, agreed_box, annotated_box, crop_clip, overlap
from merbench.tables import Row, Table
from merbench.types import Face, Packed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from merbench.media.faces import Box
    from merbench.types import Achieved, Batch, Cell, MediaSpec, Sample

Crop = Literal["fixed", "redetect"]

FILMED_ROWS = 8
"""Samples held at once where frames are to be cropped: as they were filmed, they are much larger."""

_SOURCES = ("dataset", "detector", "centred")


@dataclass(frozen=True)
class Faces:
    """Where a suite looks for faces, and whether and how it crops its frames to them.

    Without `crop` frames stay whole, and only corruptions that need a face learn where it is.
    """

    crop: Crop | None
    detector: FaceDetector | None
    frame_size: int | None

    def to_json(self) -> dict[str, Any]:
        """Return this as it enters a recipe: the detector by the hash of its file."""
        return {"crop": self.crop, "detector": None if self.detector is None else self.detector.sha256}

    def recorded(self, media: MediaSpec) -> MediaSpec:
        """Return what is to be decoded: whole frames, as filmed, where they are to be cropped."""
        return media if self.crop is None else replace(media, frame_size=None)

    def see(self, sample: Sample) -> Sample:
        """Return the sample with where its face is."""
        return sample if sample.frames is None else replace(sample, face=self._face(sample, sample.frames))

    def _face(self, sample: Sample, clip: npt.NDArray[np.uint8]) -> Face:
        given = annotated_box(sample.utterance)
        if given is not None and self.crop != "redetect":
            return Face(given, "dataset")
        found = None if self.detector is None else agreed_box(self._detected(clip))
        if found is not None:
            return Face(found, "detector")
        return Face(CENTRED, "centred") if given is None else Face(given, "dataset")

    def _detected(self, clip: npt.NDArray[np.uint8]) -> list[Box | None]:
        assert self.detector is not None
        return [self.detector(frame) for frame in clip]

    def cropped(self, sample: Sample) -> Sample:
        """Return a seen sample with its frames cropped, as the clean cell has them."""
        if self.crop is None or sample.frames is None or sample.face is None:
            return sample
        return replace(sample, frames=crop_clip(sample.frames, sample.face.box, self.frame_size))

    def clean(self, samples: Sequence[Sample], whole: Batch) -> Batch:
        """Return the clean cell of seen samples, whose media are `whole`; all but the frames it shares."""
        if self.crop is None:
            return whole
        return whole.replace(frames=Packed.of([self.cropped(s).frames for s in samples], np.uint8))

    def finish(
        self,
        samples: Sequence[Sample],
        whole: Batch,
        clean: Batch,
        batch: Batch,
        achieved: list[Achieved],
        workers: int,
    ) -> tuple[Batch, list[Achieved]]:
        """Crop a corrupted version of `whole`.

        Args:
            samples: the samples, seen.
            whole: their clean media with the frames as filmed.
            clean: the same, cropped (`clean`).
            batch: what the corruption made of `whole`.
            achieved: what it reports; with ``redetect`` the rows it changed get a ``face``.
            workers: threads that look for faces.
        """
        if self.crop is None:
            return batch, achieved
        if batch.frames.values is whole.frames.values:
            return batch.replace(frames=clean.frames.hide(~batch.frames.present)), achieved

        def row(i: int) -> tuple[npt.NDArray[np.uint8] | None, Achieved]:
            clip, face, report = batch.frames[i], samples[i].face, achieved[i]
            if clip is None or face is None or not report["applied"]:
                return None if clip is None else clean.frames[i], report
            if self.crop == "fixed" or face.source != "detector":
                return crop_clip(clip, face.box, self.frame_size), report
            found = self._detected(clip)
            box = agreed_box(found)
            crop = None if box is None else crop_clip(clip, box, self.frame_size)
            return crop, {**report, "face": _change(face.box, box, found)}

        with ThreadPoolExecutor(max_workers=workers) as pool:
            done = list(pool.map(row, range(len(samples))))
        frames = Packed.of([crop for crop, _ in done], np.uint8)
        times = (t if there else None for t, there in zip(batch.timestamps, frames.present, strict=True))
        return batch.replace(frames=frames, timestamps=tuple(times)), [report for _, report in done]


def make_faces(crop: str | None, detector: Path | None, frame_size: int | None) -> Faces | None:
    """Return what ``--faces`` and ``--face-detector`` ask for, ``None`` if nothing.

    Raises:
        MerbenchError: there is no such way, it needs a detector, or the detector cannot be opened.
    """
    if crop is not None and crop not in get_args(Crop):
        raise MerbenchError(f"--faces cannot be '{crop}'", fix=f"write {' or '.join(get_args(Crop))}")
    if crop == "redetect" and detector is None:
        raise MerbenchError("--faces redetect needs a detector", fix="add --face-detector FILE.onnx")
    if crop is None and detector is None:
        return None
    found = None if detector is None else FaceDetector(detector)
    return Faces(crop, found, frame_size)  # type: ignore[arg-type]


def faces_from_recipe(
    value: Mapping[str, Any] | None, detector: Path | None, frame_size: int | None
) -> Faces | None:
    """Read `Faces.to_json` back, with the detector from a file on this machine.

    Raises:
        MerbenchError: the recipe's detector is not given, or another one is.
    """
    if value is None:
        return None
    wanted = value["detector"]
    if wanted is None:
        return make_faces(value["crop"], None, frame_size)
    mend = f"pass --face-detector FILE.onnx, whose sha256 is {wanted}"
    if detector is None:
        raise MerbenchError("the recipe was made with a face detector", fix=mend)
    faces = make_faces(value["crop"], detector, frame_size)
    if faces is None or faces.to_json()["detector"] != wanted:
        raise MerbenchError(f"the recipe was made with another face detector than {detector}", fix=mend)
    return faces


def report_of(sample: Sample) -> Achieved:
    """Return the clean cell's report of a sample: nothing is applied, and where the face is if known."""
    if sample.face is None:
        return {"applied": False}
    return {"applied": False, "face": {"box": list(sample.face.box), "from": sample.face.source}}


def _change(before: Box, after: Box | None, found: Sequence[Box | None]) -> dict[str, Any]:
    """Return what re-detection reports: the box, its overlap with the clean one, frames without a face."""
    return {
        "box": None if after is None else list(after),
        "overlap": 0.0 if after is None else round(overlap(before, after), 4),
        "frames": len(found),
        "lost": sum(box is None for box in found),
    }


class FaceTally:
    """Counts, over clips, where boxes came from and, per cell, what the detector lost."""

    def __init__(self) -> None:
        self._boxes: Counter[str] = Counter()
        self._lost: dict[str, Counter[str]] = {}

    def add(self, cell: Cell, achieved: Sequence[Achieved]) -> None:
        """Count the reports of some rows of a cell."""
        for face in (row["face"] for row in achieved if "face" in row):
            if cell.is_clean:
                self._boxes[face["from"]] += 1
            else:
                lost = {"frames": face["frames"], "lost": face["lost"], "clips": 1}
                lost["clips_lost"] = int(face["box"] is None)
                self._lost.setdefault(cell.cell_id, Counter()).update(lost)

    def merge(self, other: Mapping[str, Any]) -> None:
        """Add what another tally's `to_json` says."""
        self._boxes.update(other["boxes"])
        for cell_id, lost in other["lost"].items():
            self._lost.setdefault(cell_id, Counter()).update(lost)

    def to_json(self) -> dict[str, Any]:
        """Return clips by the source of their box; and by cell, frames and clips looked at and lost."""
        return {
            "boxes": {source: self._boxes[source] for source in _SOURCES},
            "lost": {cell_id: dict(sorted(lost.items())) for cell_id, lost in sorted(self._lost.items())},
        }


def tell_faces(faces: Mapping[str, Any], cells: Sequence[Cell]) -> str:
    """Return, in a sentence, what a manifest or a result says about faces."""
    crops = {None: "frames are whole", "fixed": "cropped with the clean clip's box"}
    how = crops.get(faces["crop"], "looked for again in every corrupted clip")
    counts = {source: faces["boxes"][source] for source in _SOURCES}
    boxes = ", ".join(f"{n} {source}" for source, n in counts.items() if n) or "none"
    told = f"faces: {how}; boxes by source: {boxes}"
    lost = {cell: _share(faces["lost"][cell.cell_id]) for cell in cells if cell.cell_id in faces["lost"]}
    if any(lost.values()):
        worst = max(lost, key=lambda cell: lost[cell])
        told += (
            f"; the detector lost the face in up to {lost[worst]:.1%} of the frames "
            f"({worst.corruption}, severity {worst.severity})"
        )
    return told


def lost_faces(faces: Mapping[str, Any], cells: Sequence[Cell]) -> Table | None:
    """Return what the detector lost, by cell, as a table; ``None`` where nothing was looked for again."""
    looked = [(cell, faces["lost"][cell.cell_id]) for cell in cells if cell.cell_id in faces["lost"]]
    if not looked:
        return None
    return Table(
        name="faces",
        title="Faces that the detector lost",
        columns=("cell", "severity", "of frames", "of clips"),
        rows=tuple(
            Row((c.corruption, str(c.severity), f"{_share(n):.1%}", f"{n['clips_lost']} of {n['clips']}"))
            for c, n in looked
        ),
        caption="where it is lost in every frame of a clip, vision is missing",
    )


def _share(lost: Mapping[str, int]) -> float:
    return lost["lost"] / lost["frames"]
