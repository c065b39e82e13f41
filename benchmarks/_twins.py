"""What other libraries offer for the same kinds of noise, and in what their output differs from ours.

A twin takes what the libraries need prepared (float32 speech at 16 kHz, frames uint8 [F, H, W, 3], text)
and gives back what we give (PCM16, uint8 frames, text). Its strengths are those of our severity table, as
nearly as its parameters allow.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NO_ALBUMENTATIONS_UPDATE="1")

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Call = Callable[[Any], object]

RATE = 16_000


@dataclass(frozen=True)
class Twin:
    """One way to have the same noise from a library."""

    corruption: str
    library: str
    name: str
    make: Callable[[dict[str, float], Path], Call]
    """From our strength and the folder with sound files (see `sounds`) to a function of one input."""
    difference: str
    options: tuple[tuple[str, Any], ...] = ()
    """Options of our corruption that bring the two closer."""
    needs: str | None = None
    """A module that the library leaves to its users to install."""

    @property
    def label(self) -> str:
        """The name with its library's."""
        return f"{self.library} {self.name}"


def sound(make: Callable[[Any, dict[str, float], Path], Any]) -> Callable[[dict[str, float], Path], Call]:
    """Return the maker of a twin from audiomentations."""

    def made(strength: dict[str, float], root: Path) -> Call:
        import audiomentations

        transform = make(audiomentations, strength, root)
        return lambda audio: pcm16(transform(audio, RATE))

    return made


def picture(
    make: Callable[[Any, dict[str, float]], Any], *, by_frame: bool = False
) -> Callable[[dict[str, float], Path], Call]:
    """Return the maker of a twin from albumentations: one call per clip, or one per frame."""

    def made(strength: dict[str, float], root: Path) -> Call:
        import albumentations
        import cv2

        cv2.setNumThreads(1)
        found = make(albumentations, strength)
        compose = albumentations.Compose(found if isinstance(found, list) else [found], seed=0)
        if by_frame:
            return lambda frames: [compose(image=frame)["image"] for frame in frames]
        return lambda frames: compose(images=frames)["images"]

    return made


def overlay(strength: dict[str, float], root: Path) -> Call:
    """Paste a prepared picture with a mask over the middle of every frame."""
    import albumentations
    import cv2

    cv2.setNumThreads(1)
    compose = albumentations.Compose([albumentations.OverlayElements(p=1.0)], seed=0)
    side = strength["area"] ** 0.5 / 2
    thing = np.full((134, 179, 3), 200, dtype=np.uint8)
    y, x = np.mgrid[-1:1:134j, -1:1:179j]
    mask = (x**2 + y**2 < 1).astype(np.uint8)
    box = (0.5 - side, 0.5 - side, 0.5 + side, 0.5 + side)
    metadata = [{"image": thing, "mask": mask, "bbox": box}]
    return lambda frames: [compose(image=f, overlay_metadata=metadata)["image"] for f in frames]


def letters(make: Callable[[Any, dict[str, float]], Any]) -> Callable[[dict[str, float], Path], Call]:
    """Return the maker of a twin from nlpaug's character augmenters."""

    def made(strength: dict[str, float], root: Path) -> Call:
        import nlpaug.augmenter.char

        augmenter = make(nlpaug.augmenter.char, strength)
        return lambda text: augmenter.augment(text)[0]

    return made


def words(make: Callable[[Any, dict[str, float]], Any]) -> Callable[[dict[str, float], Path], Call]:
    """Return the maker of a twin from nlpaug's word augmenters."""

    def made(strength: dict[str, float], root: Path) -> Call:
        import nlpaug.augmenter.word

        augmenter = make(nlpaug.augmenter.word, strength)
        return lambda text: augmenter.augment(text)[0]

    return made


def background(strength: dict[str, float], root: Path, *, rate: int) -> Call:
    """Mix with a part of a file of noise at that sample rate, read for every mix."""
    import audiomentations

    folder, snr = root / f"urban{rate}" / "audio", strength["snr_db"]
    transform = audiomentations.AddBackgroundNoise(folder, min_snr_db=snr, max_snr_db=snr, p=1.0)
    return lambda audio: pcm16(transform(audio, RATE))


def background_from_memory(strength: dict[str, float], root: Path) -> Call:
    """Mix as `background` does, its file reading replaced by a look-up in memory."""
    import soundfile

    files = (root / f"urban{RATE}").rglob("*.wav")
    memory = {path.name: soundfile.read(path, dtype="float32")[0] for path in files}
    mix = background(strength, root, rate=RATE)

    def call(audio: np.ndarray) -> object:
        with library_reads_from(memory):
            return mix(audio)

    return call


@contextmanager
def library_reads_from(memory: dict[str, np.ndarray]) -> Iterator[None]:
    """Give audiomentations its noise from memory instead of from disk."""
    from audiomentations.augmentations import add_background_noise as module

    def look_up(path, sample_rate, mono=True, offset=0.0, duration=None):
        start = int(offset * sample_rate)
        return memory[Path(path).name][start : start + int(duration * sample_rate)], sample_rate

    kept, module.load_sound_file = module.load_sound_file, look_up
    try:
        yield
    finally:
        module.load_sound_file = kept


def pcm16(signal: np.ndarray) -> np.ndarray:
    """Return float samples as PCM16."""
    return np.clip(np.rint(signal * 32768), -32768, 32767).astype(np.int16)


def odd(pixels: float) -> int:
    """Return the nearest odd number from 3 on."""
    return max(3, 2 * round((pixels - 1) / 2) + 1)


def holes(lib, strength: dict[str, float]):
    """One hole of the wanted area."""
    side = strength["area"] ** 0.5
    return lib.CoarseDropout((1, 1), (side, side), (side, side), fill=128, p=1.0)


def key_presses(lib, strength: dict[str, float]):
    """As many wrong keys per character as our rate."""
    return lib.KeyboardAug(aug_char_p=strength["rate"], aug_char_max=None, aug_word_p=1.0, aug_word_max=None)


SIDE = 224
"""Pixels: the frames of the benchmark."""

TWINS = (
    Twin(
        "audio/environment",
        "audiomentations",
        "AddBackgroundNoise, 16 kHz files",
        lambda s, root: background(s, root, rate=RATE),
        "whole-clip powers, float gains, no headroom; reads a part of a WAV file per mix",
    ),
    Twin(
        "audio/environment",
        "audiomentations",
        "AddBackgroundNoise, files in memory",
        background_from_memory,
        "the same with its file reading patched out, which it does not offer",
    ),
    Twin(
        "audio/urban_noise",
        "audiomentations",
        "AddBackgroundNoise, 44.1 kHz files",
        lambda s, root: background(s, root, rate=44_100),
        "reads and resamples 44.1 kHz stereo for every mix; our bank does so once",
    ),
    Twin(
        "audio/white",
        "audiomentations",
        "AddGaussianSNR",
        sound(lambda lib, s, _: lib.AddGaussianSNR(s["snr_db"], s["snr_db"], p=1.0)),
        "whole-clip powers, global generator, no headroom",
    ),
    Twin(
        "audio/pink",
        "audiomentations",
        "AddColorNoise",
        sound(lambda lib, s, _: lib.AddColorNoise(s["snr_db"], s["snr_db"], -3.01, -3.01, p=1.0)),
        "1/f by an FFT filter of 128 points, ours by recursion; whole-clip powers, no headroom",
    ),
    Twin(
        "audio/reverb",
        "audiomentations",
        "ApplyImpulseResponse",
        sound(lambda lib, s, root: lib.ApplyImpulseResponse(root / f"room{s['rt60_s']:g}.wav", p=1.0)),
        "convolves with a response read once (of the same length); ours makes a room per clip, exactly",
    ),
    Twin(
        "audio/clipping",
        "audiomentations",
        "ClippingDistortion",
        sound(
            lambda lib, s, _: lib.ClippingDistortion(round(100 * s["share"]), round(100 * s["share"]), p=1.0)
        ),
        "cuts both tails at their own percentile, ours at one limit for both",
    ),
    Twin(
        "audio/band_limit",
        "audiomentations",
        "LowPassFilter",
        sound(lambda lib, s, _: lib.LowPassFilter(s["cutoff_hz"], s["cutoff_hz"], 24, 24, p=1.0)),
        "a Butterworth slope of 24 dB per octave with phase shift; ours is linear-phase and steep",
    ),
    Twin(
        "audio/codec",
        "audiomentations",
        "Mp3Compression (both MP3)",
        sound(lambda lib, s, _: lib.Mp3Compression(int(s["kbps"]), int(s["kbps"]), p=1.0)),
        "LAME's fast quality 7, ours its default; no container",
        options=(("codec", "mp3"),),
        needs="fast_mp3_augment",
    ),
    Twin(
        "audio/gain",
        "audiomentations",
        "Gain",
        sound(lambda lib, s, _: lib.Gain(-s["attenuation_db"], -s["attenuation_db"], p=1.0)),
        "a float gain",
    ),
    Twin(
        "audio/time_mask",
        "audiomentations",
        "TimeMask",
        sound(lambda lib, s, _: lib.TimeMask(s["share"], s["share"], p=1.0)),
        "fades of 5 ms at the gap's ends",
    ),
    Twin(
        "vision/occlusion_mask",
        "albumentations",
        "CoarseDropout, frame by frame",
        picture(holes, by_frame=True),
        "one rectangle of about the area; ours many, of exactly the area",
    ),
    Twin(
        "vision/occlusion_mask",
        "albumentations",
        "CoarseDropout, images=",
        picture(holes),
        "the same; one call per clip",
    ),
    Twin(
        "vision/object_insertion",
        "albumentations",
        "OverlayElements",
        overlay,
        "pastes a given picture with hard edges; ours draws an object to the area, with soft ones",
    ),
    Twin(
        "vision/gaussian_noise",
        "albumentations",
        "GaussNoise, frame by frame",
        picture(lambda lib, s: lib.GaussNoise((s["sigma"], s["sigma"]), p=1.0), by_frame=True),
        "fresh Gaussians; ours are stretches of one field of four million",
    ),
    Twin(
        "vision/shot_noise",
        "albumentations",
        "ShotNoise, frame by frame",
        picture(lambda lib, s: lib.ShotNoise((1 / s["photons"], 1 / s["photons"]), p=1.0), by_frame=True),
        "Poisson in linear light, ours in levels as ImageNet-C",
    ),
    Twin(
        "vision/motion_blur",
        "albumentations",
        "MotionBlur",
        picture(lambda lib, s: lib.MotionBlur((odd(SIDE * s["length"]),) * 2, allow_shifted=False, p=1.0)),
        "a drawn line as kernel, not of the whole length; ours exactly the path's pixels",
    ),
    Twin(
        "vision/defocus",
        "albumentations",
        "Defocus",
        picture(lambda lib, s: lib.Defocus((round(SIDE * s["radius"]),) * 2, (0.3, 0.3), p=1.0)),
        "a disc with a softened rim; ours a hard one",
    ),
    Twin(
        "vision/low_resolution",
        "albumentations",
        "Downscale",
        picture(
            lambda lib, s: lib.Downscale(
                (s["scale"], s["scale"]), interpolation_pair={"downscale": 3, "upscale": 1}, p=1.0
            )
        ),
        "OpenCV's area and bilinear; ours Pillow's, which are the same on every processor",
    ),
    Twin(
        "vision/jpeg",
        "albumentations",
        "ImageCompression",
        picture(lambda lib, s: lib.ImageCompression("jpeg", (int(s["quality"]),) * 2, p=1.0)),
        "swaps red and blue into the codec, ours does not",
    ),
    Twin(
        "vision/low_light",
        "albumentations",
        "RandomBrightnessContrast, ISONoise",
        picture(
            lambda lib, s: [
                lib.RandomBrightnessContrast((0, 0), (s["light"] - 1,) * 2, p=1.0),
                lib.ISONoise((0.01, 0.01), (0.1, 0.1), p=1.0),
            ],
            by_frame=True,
        ),
        "noise in hue and luminance of HLS; ours photon and read noise per pixel and colour",
    ),
    Twin(
        "vision/overexposure",
        "albumentations",
        "RandomBrightnessContrast",
        picture(
            lambda lib, s: lib.RandomBrightnessContrast((0, 0), (2 ** (s["stops"] / 2.4) - 1,) * 2, p=1.0)
        ),
        "adds a constant to every level; ours scales light behind the sRGB curve",
    ),
    Twin(
        "vision/fog",
        "albumentations",
        "RandomFog",
        picture(lambda lib, s: lib.RandomFog(0.08, (s["opacity"], s["opacity"]), p=1.0)),
        "discs of haze and a blur; ours a smooth veil after Koschmieder",
    ),
    Twin(
        "text/typo",
        "nlpaug",
        "KeyboardAug at our rate",
        letters(key_presses),
        "wrong keys (digits and signs too) only; ours also swaps, omits and doubles",
    ),
    Twin(
        "text/typo",
        "nlpaug",
        "KeyboardAug default",
        letters(lambda lib, s: lib.KeyboardAug()),
        "up to 10 characters of 30 % of the words",
    ),
    Twin(
        "text/char_delete",
        "nlpaug",
        "RandomCharAug delete",
        letters(
            lambda lib, s: lib.RandomCharAug(
                "delete",
                aug_char_p=s["rate"],
                aug_char_max=None,
                aug_word_p=1.0,
                aug_word_max=None,
                min_char=1,
            )
        ),
        "a share of every word's letters, ours of the text's",
    ),
    Twin(
        "text/word_delete",
        "nlpaug",
        "RandomWordAug delete",
        words(lambda lib, s: lib.RandomWordAug("delete", aug_p=s["rate"], aug_max=None)),
        "punctuation counts as words; capitals move to the new first word",
    ),
    Twin(
        "text/word_swap",
        "nlpaug",
        "RandomWordAug swap",
        words(lambda lib, s: lib.RandomWordAug("swap", aug_p=s["rate"], aug_max=None)),
        "swaps across punctuation and carries capitals over",
    ),
    Twin(
        "text/asr",
        "nlpaug",
        "SpellingAug",
        words(lambda lib, s: lib.SpellingAug(aug_p=s["wer"], aug_max=None)),
        "misspellings of a dictionary; ours homophones, dropped words and endings",
    ),
    Twin(
        "text/ocr",
        "nlpaug",
        "OcrAug",
        letters(
            lambda lib, s: lib.OcrAug(
                aug_char_p=s["rate"], aug_char_max=None, aug_word_p=1.0, aug_word_max=None
            )
        ),
        "single characters; ours also rn for m and the like",
    ),
)

IMAGECORRUPTIONS = {
    "vision/gaussian_noise": ("gaussian_noise", "the same maths with fresh Gaussians in float64"),
    "vision/shot_noise": ("shot_noise", "the same maths with fresh Poisson numbers"),
    "vision/motion_blur": ("motion_blur", "a Gaussian-weighted path of a few fixed pixels"),
    "vision/defocus": ("defocus_blur", "a disc of fixed pixels with a softened rim"),
    "vision/low_resolution": ("pixelate", "enlarges by nearest neighbours, which leaves blocks"),
    "vision/jpeg": ("jpeg_compression", "Pillow's libjpeg at the same qualities"),
    "vision/overexposure": ("brightness", "adds to the V of HSV"),
    "vision/fog": ("fog", "a plasma fractal added and rescaled"),
}
"""By corruption of ours: the one of imagecorruptions (ImageNet-C's own code), and the output difference."""
