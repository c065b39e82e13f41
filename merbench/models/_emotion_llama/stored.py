"""Encodings from feature files: what the authors' own code reads instead of sound and faces.

They publish a vector of FaceMAE, of VideoMAE and of HuBERT for each clip, as ``NAME.npy`` in a folder of
each; the scene encoder is run on the first picture in their code too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from merbench.models._emotion_llama.config import Config
    from merbench.models._emotion_llama.network import EmotionLlama
    from merbench.types import Modality

_FOLDERS = {"face_encoder": "mae_", "video_encoder": "maev", "audio_encoder": "hl"}
"""How the folders' names begin: mae_340_UTT, maeV_399_UTT or maeVideo_399_23_UTT, HL-UTT and the like."""


@dataclass(frozen=True, slots=True)
class Features:
    """Three folders of vectors, by the encoder that made them."""

    folders: dict[str, Path]
    widths: dict[str, int]

    @classmethod
    def find(cls, root: Path, config: Config) -> Features:
        """Return the folders in `root` for a network of this configuration.

        Raises:
            MerbenchError: a folder is not there, or there are two that could be meant.
        """
        there = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
        folders = {}
        for part, beginning in _FOLDERS.items():
            found = [path for path in there if path.name.casefold().startswith(beginning)]
            if len(found) != 1:
                names = ", ".join(path.name for path in found) or "none"
                raise MerbenchError(
                    f"{root} must hold one folder whose name begins with {beginning}, and holds {names}",
                    fix="it ought to hold mae_340_UTT, maeV_399_UTT and HL-UTT, as its authors publish them",
                )
            folders[part] = found[0]
        face, video, audio = config.face_encoder, config.video_encoder, config.audio_encoder
        if face is None or video is None or audio is None:
            raise MerbenchError(f"size '{config.name}' reads no stored features", fix="name --size 7b")
        widths = {
            "face_encoder": face.width,
            "video_encoder": video.width,
            "audio_encoder": int(audio.settings["hidden_size"]),
        }
        return cls(folders, widths)

    def read(self, name: str) -> dict[str, npt.NDArray[np.float32]]:
        """Return a clip's vectors, by encoder.

        Raises:
            MerbenchError: one is not there, is no plain array, has another width, or is not finite.
        """
        return {part: self._vector(part, name) for part in self.folders}

    def _vector(self, part: str, name: str) -> npt.NDArray[np.float32]:
        path = self.folders[part] / f"{name}.npy"
        try:
            vector: Any = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise MerbenchError(
                f"{path} cannot be read ({str(error).splitlines()[0]})", fix="get the features again"
            ) from error
        width = self.widths[part]
        if vector.shape not in ((width,), (1, width)) or not np.issubdtype(vector.dtype, np.floating):
            raise MerbenchError(
                f"{path} holds {vector.dtype} of shape {list(vector.shape)}, not {width} floats",
                fix="give features of whole utterances (UTT)",
            )
        if not np.isfinite(vector).all():
            raise MerbenchError(f"{path} holds NaN or infinity", fix="get the features again")
        return np.asarray(vector.reshape(width), dtype=np.float32)


def encode(
    network: EmotionLlama,
    pictures: Sequence[npt.NDArray[np.uint8]],
    features: Sequence[dict[str, npt.NDArray[np.float32]]],
    sentences: Sequence[str],
) -> dict[Modality, torch.Tensor]:
    """Return the encodings of some clips, as `EmotionLlama.fuse` takes them.

    Args:
        network: with its scene encoder; the others are not needed.
        pictures: the first picture of each clip [H, W, 3], as large as it is.
        features: each clip's vectors, as `Features.read` returns them.
        sentences: what is said in each clip, in English.
    """
    clips = [torch.from_numpy(np.array(picture))[None] for picture in pictures]
    vectors = {
        part: torch.from_numpy(np.stack([row[part] for row in features])).to(network.device)
        for part in _FOLDERS
    }
    scene = network.encode_scene(clips)
    vision = [vectors["face_encoder"], vectors["video_encoder"], scene.to(torch.float32)]
    return {
        "audio": vectors["audio_encoder"],
        "vision": torch.cat(vision, dim=1),
        "text": network.encode_text(sentences),
    }
