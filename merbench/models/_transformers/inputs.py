"""What a network of the transformers library takes in, made of one utterance at a time.

The library's own preprocessing runs wherever it does without torchvision; for videos it does not, and
its steps are done here. Arrays have the network's batch axis: [1, ...], or [K, ...] for K pictures
whose answers are averaged.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from merbench.errors import MerbenchError
from merbench.models._adapter import Wants
from merbench.pretrained import longest_input, read_tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from merbench.types import Batch, Modality

Frames = Literal["first", "middle", "mean"]
Arrays = dict[str, np.ndarray]

_SHORTEST_S = 0.1  # no network of speech makes a frame of less; anything shorter is followed by silence
_FULL_SCALE = 32768.0  # PCM16


class Inputs(Protocol):
    """What the adapter needs to know of a kind of input."""

    @property
    def modality(self) -> Modality:
        """The one modality it reads."""
        ...

    @property
    def wants(self) -> Wants:
        """The media it is to be given."""
        ...

    @property
    def padding(self) -> Mapping[str, float] | None:
        """What to fill up axis 1 of each array with, so that rows of different lengths share a batch.

        ``None`` where that would change the answers.
        """
        ...

    def __call__(self, batch: Batch, row: int) -> Arrays:
        """Return the network's keyword arguments for one row that has the modality."""
        ...


class AudioInputs:
    """Waveforms or spectra, by the checkpoint's feature extractor.

    Rows are padded only where the network cannot tell: group normalisation in the feature encoder
    (HuBERT-base, wav2vec 2.0-base) takes its mean over the padding too, whatever the attention mask says.
    """

    modality: Modality = "audio"

    def __init__(self, folder: Path, config: Any) -> None:
        from transformers import AutoFeatureExtractor

        self._extract = AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False)  # type: ignore[no-untyped-call]
        self._rate = int(self._extract.sampling_rate)
        self.wants = Wants(sample_rate=self._rate)
        masked = getattr(config, "feat_extract_norm", None) == "layer" and self._extract.return_attention_mask
        self.padding = {"input_values": 0.0, "attention_mask": 0} if masked else None

    def __call__(self, batch: Batch, row: int) -> Arrays:
        """Return ``input_values`` or ``input_features`` [1, ...], with a mask where the network wants one."""
        audio = batch.audio[row]
        assert audio is not None
        waveform = (audio / _FULL_SCALE).astype(np.float32)
        missing = round(_SHORTEST_S * self._rate) - len(waveform)
        waveform = np.pad(waveform, (0, max(0, missing)))
        return dict(self._extract(waveform, sampling_rate=self._rate, return_tensors="np"))


class ImageInputs:
    """Pictures, by the checkpoint's image processor."""

    modality: Modality = "vision"
    wants = Wants()  # the processor resizes by its own rule
    padding = None

    def __init__(self, folder: Path, frames: Frames) -> None:
        import transformers

        kind = str(_read_json(folder / "preprocessor_config.json").get("image_processor_type", ""))
        if kind.endswith("FeatureExtractor"):  # the class's name until 2023, which the library has dropped
            named = getattr(transformers, kind.replace("FeatureExtractor", "ImageProcessorPil"))
            self._process = named.from_pretrained(folder)
        else:
            auto: Any = transformers.AutoImageProcessor  # untyped
            self._process = auto.from_pretrained(folder, backend="pil", trust_remote_code=False)
        self._frames = frames

    def __call__(self, batch: Batch, row: int) -> Arrays:
        """Return ``pixel_values`` [K, C, H, W]: of every frame, or of one."""
        clip = batch.frames[row]
        assert clip is not None
        if self._frames != "mean":
            clip = clip[0 if self._frames == "first" else len(clip) // 2][None]
        return {"pixel_values": np.asarray(self._process(list(clip), return_tensors="np")["pixel_values"])}


class VideoInputs:
    """Clips of as many frames as the network has, evenly spaced over the utterance."""

    modality: Modality = "vision"
    wants = Wants()
    padding = None

    def __init__(self, folder: Path, config: Any, name: str) -> None:
        self._name = name
        self._steps = _Pictures(folder)
        self._count = int(getattr(config, "num_frames", None) or config.frames_per_clip)

    def __call__(self, batch: Batch, row: int) -> Arrays:
        """Return the clip [1, F, C, H, W]; frames are repeated where the utterance has fewer than F."""
        clip = batch.frames[row]
        assert clip is not None
        chosen = np.linspace(0, len(clip) - 1, self._count).round().astype(int)
        return {self._name: np.stack([self._steps(clip[i]) for i in chosen])[None]}


class TextInputs:
    """Tokens, by the checkpoint's tokenizer; what is longer than the network's positions is cut."""

    modality: Modality = "text"
    wants = Wants()

    def __init__(self, folder: Path, config: Any) -> None:
        self._tokenize = read_tokenizer(folder, folder.name)
        self._longest = longest_input(self._tokenize, config)
        pad = self._tokenize.pad_token_id
        # A network that reads its answer off the last token pads on the left: there lengths stay apart.
        right = pad is not None and self._tokenize.padding_side == "right"
        types = {"token_type_ids": self._tokenize.pad_token_type_id, "attention_mask": 0}
        self.padding = {"input_ids": pad, **types} if right else None

    def __call__(self, batch: Batch, row: int) -> Arrays:
        """Return ``input_ids`` [1, L], ``attention_mask`` and what else the tokenizer makes."""
        text = batch.text[row]
        assert text is not None
        encoded = self._tokenize(text, truncation=True, max_length=self._longest, return_tensors="np")
        return {key: np.asarray(value) for key, value in encoded.items()}


class _Pictures:
    """The steps of the library's video processors: resize, crop the centre, rescale, normalise."""

    def __init__(self, folder: Path) -> None:
        steps = _read_steps(folder)
        self._size = steps.get("size") if steps.get("do_resize", True) else None
        self._resample = int(steps.get("resample", 2))  # Pillow's number of the bilinear filter
        self._crop = steps.get("crop_size") if steps.get("do_center_crop", False) else None
        self._scale = float(steps.get("rescale_factor", 1 / 255)) if steps.get("do_rescale", True) else 1.0
        self._offset = 1.0 if steps.get("offset", False) else 0.0  # ViViT: x / 127.5 - 1
        normalise = steps.get("do_normalize", True)
        self._mean = np.array(steps["image_mean"] if normalise else [0.0] * 3, dtype=np.float32)
        self._std = np.array(steps["image_std"] if normalise else [1.0] * 3, dtype=np.float32)

    def __call__(self, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return one picture [C, H, W] for a frame [H, W, 3]."""
        from PIL import Image

        if self._size is not None:
            size = _target(self._size, *frame.shape[:2])
            frame = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling(self._resample)))
        if self._crop is not None:
            frame = _centre(frame, int(self._crop["height"]), int(self._crop["width"]))
        picture = frame.astype(np.float32) * np.float32(self._scale) - np.float32(self._offset)
        return np.ascontiguousarray(((picture - self._mean) / self._std).transpose(2, 0, 1))


def _read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _read_steps(folder: Path) -> dict[str, Any]:
    for name in ("video_preprocessor_config.json", "preprocessor_config.json"):
        steps = _read_json(folder / name)
        if steps and (not steps.get("do_normalize", True) or {"image_mean", "image_std"} <= steps.keys()):
            return steps
    raise MerbenchError(
        f"the folder {folder} does not say how frames become its inputs (size, image_mean, image_std)",
        fix="put the preprocessor_config.json of the model beside its config.json",
    )


def _target(size: dict[str, int], height: int, width: int) -> tuple[int, int]:
    """Return the (width, height) that a frame is resized to; the longer side is rounded down."""
    if "shortest_edge" in size:
        short = int(size["shortest_edge"])
        ratio = max(height, width) / min(height, width)
        long = int(short * max(height, width) / min(height, width)) if ratio != 1 else short
        return (short, long) if height > width else (long, short)
    return int(size["width"]), int(size["height"])


def _centre(frame: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Cut out the centre; a frame that is smaller is surrounded by black."""
    short = [max(0, want - have) for want, have in zip((height, width), frame.shape[:2], strict=True)]
    if any(short):
        frame = np.pad(frame, [*((n // 2, n - n // 2) for n in short), (0, 0)])
    top, left = (frame.shape[0] - height) // 2, (frame.shape[1] - width) // 2
    return frame[top : top + height, left : left + width]
