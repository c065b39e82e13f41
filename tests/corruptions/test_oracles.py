"""Our maths against other people's, wherever a library does the same thing with given parameters.

Each test says how far the two may be apart, and why they are apart at all. AddBackgroundNoise stands in
test_mixing.py, OpenCV's pyramid in test_vision.py, the recognisers' and language models' own pipelines
beside the corruptions that run them. Of MP3 there is none: the library's encoders are extras of it.
"""

from __future__ import annotations

import random

import cv2
import numpy as np
import pytest
import soundfile
from scipy.signal import welch
from scipy.stats import poisson

from corruptions.audio._room import impulse_response
from corruptions.text._keyboard import neighbours
from corruptions.text.ocr import _confusions
from merbench.corruption import corruptions
from merbench.options import build
from merbench.rng import Stream
from merbench.types import SEVERITIES, Batch, Sample, Utterance
from tests.corruptions.samples import pool, voice

RATE = 16_000


@pytest.fixture(scope="module")
def speech():
    return voice(Stream.of("oracles"), 2.0, RATE)


@pytest.fixture(scope="module")
def frame():
    """Blobs of colour [112, 112, 3]."""
    lattice = Stream.of("oracles", "frame").integers(9 * 9 * 3, 0, 256).reshape(9, 9, 3).astype(np.uint8)
    return cv2.resize(lattice, (112, 112), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def albumentations():
    return pytest.importorskip("albumentations")


@pytest.fixture(scope="module")
def audiomentations():
    return pytest.importorskip("audiomentations")


def spoilt(name, severity, *, audio=None, frames=None, text=None, index=0, **options):
    """What our corruption makes of one medium, its report and its draw."""
    sample = Sample(
        utterance=Utterance(id=f"u{index}", label="?", split="test"),
        audio=audio,
        sample_rate=None if audio is None else RATE,
        frames=frames,
        timestamps=None if frames is None else np.arange(len(frames)) / 8,
        text=text,
    )
    corruption = build(corruptions[name], name, options)
    params = corruption.draw_all([sample], pool([sample]), "oracles")
    batch, (report,) = corruption.apply(
        Batch.of([sample]), params, pool([sample]), **corruption.strength(severity)
    )
    assert report["applied"], report
    return (batch.audio[0], batch.frames[0], batch.text[0]), report, params[0]


def heard(name, severity, audio, **options):
    (ours, _, _), report, params = spoilt(name, severity, audio=audio, **options)
    return ours.astype(np.float64), report, params


def seen(name, severity, frame, **options):
    (_, ours, _), report, _ = spoilt(name, severity, frames=frame[None], **options)
    return ours[0].astype(np.float64), report


def library(transform, audio, **parameters):
    """What a transform of audiomentations makes of PCM16, its parameters given and nothing drawn."""
    transform.parameters = {"should_apply": True, **parameters}
    transform.freeze_parameters()
    return transform((audio / 32768).astype(np.float32), RATE).astype(np.float64) * 32768


def inside(picture, border=20):
    """Without the border, beyond which OpenCV sees a mirror image and we the last pixel."""
    return picture[border:-border, border:-border]


class TestAudiomentations:
    @pytest.mark.parametrize("severity", SEVERITIES)
    def test_gain(self, audiomentations, speech, severity):
        ours, report, _ = heard("audio/gain", severity, speech)
        ratio = 10 ** (-report["attenuation_db"] / 20)
        theirs = library(audiomentations.Gain(p=1.0), speech, amplitude_ratio=ratio)
        assert np.abs(ours - theirs).max() < 0.51  # ours is rounded to PCM16

    @pytest.mark.parametrize("severity", SEVERITIES)
    def test_white_noise_has_the_power_of_add_gaussian_snr(self, audiomentations, speech, severity):
        ours, report, _ = heard("audio/white", severity, speech, snr_reference="whole")
        transform = audiomentations.AddGaussianSNR(report["snr_db"], report["snr_db"], p=1.0)
        transform.randomize_parameters((speech / 32768).astype(np.float32), RATE)
        noise = ours - speech * report["headroom_gain"]
        expected = transform.parameters["noise_std"] * 32768 * report["headroom_gain"]
        assert noise.std() == pytest.approx(expected, rel=0.01)  # a sample of 32 000, and rounded to PCM16

    def test_pink_noise_falls_as_add_color_noise_does(self, audiomentations, speech):
        ours, report, _ = heard("audio/pink", 5, speech, snr_reference="whole")
        ours -= speech * report["headroom_gain"]
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002 (the only generator that it takes)
        add = audiomentations.AddColorNoise(10, 10, -3.01, -3.01, p=1.0)
        theirs = add((speech / 32768).astype(np.float32), RATE).astype(np.float64) * 32768 - speech

        def levels(noise):
            frequency, power = welch(noise, RATE, nperseg=1024)
            octaves = [(125 * 2**k, 250 * 2**k) for k in range(6)]
            bands = [power[(frequency >= low) & (frequency < high)].sum() for low, high in octaves]
            return 10 * np.log10(bands) - 10 * np.log10(np.mean(bands))

        assert levels(ours) == pytest.approx(np.zeros(6), abs=0.7)
        # Theirs is shaped by a filter of 128 points and is uneven by 2 dB; white noise would be by 15.
        assert levels(ours) == pytest.approx(levels(theirs), abs=3)

    @pytest.mark.parametrize("severity", SEVERITIES)
    def test_clipping(self, audiomentations, speech, severity):
        # Theirs has a percentile of its own for each sign; for as much above as below they are one.
        both = np.concatenate([speech, -speech])
        ours, report, _ = heard("audio/clipping", severity, both)
        share = round(100 * corruptions["audio/clipping"].severity["share"][severity - 1])
        even = share - share % 2  # it halves to a whole number
        theirs = library(audiomentations.ClippingDistortion(p=1.0), both, percentile_threshold=even)
        closest = np.abs(ours).max() - np.abs(theirs).max()
        assert abs(closest) <= (0.02 if even == share else 0.15) * report["limit"]
        kept = np.abs(both) < min(np.abs(ours).max(), np.abs(theirs).max())
        assert np.abs(ours - theirs)[kept].max() < 0.01

    def test_time_mask(self, audiomentations, speech):
        ours, report, _ = heard("audio/time_mask", 3, speech)
        first, gap = round(report["from_s"] * RATE), round(report["share"] * len(speech))
        theirs = library(audiomentations.TimeMask(p=1.0, fade_duration=0.0), speech, t=gap, t0=first)
        assert np.count_nonzero(np.abs(ours - theirs) > 0.01) <= 2  # `from_s` is rounded to 0.1 ms

    def test_reverb(self, audiomentations, speech, tmp_path):
        ours, _, params = heard("audio/reverb", 4, speech)
        room = impulse_response(
            Stream(params["stream"]), RATE, 1.2, params["volume_m3"], params["distance_m"]
        )
        path = tmp_path / "room.wav"
        soundfile.write(path, room / 8192, RATE, subtype="DOUBLE")
        apply = audiomentations.ApplyImpulseResponse(path, p=1.0, leave_length_unchanged=True)
        theirs = library(apply, speech, ir_file_path=path)
        theirs *= (ours @ theirs) / (theirs @ theirs)  # theirs is scaled to a peak of one half
        assert np.abs(ours - theirs).max() < 1  # theirs is in float32

    @pytest.mark.parametrize("severity", [2, 3, 5])
    def test_band_limit_keeps_and_takes_away_what_low_pass_filter_does(self, audiomentations, severity):
        cutoff = corruptions["audio/band_limit"].severity["cutoff_hz"][severity - 1]
        tones = {ratio: np.sin(2 * np.pi * cutoff * ratio * np.arange(RATE) / RATE) for ratio in (0.5, 1.4)}
        for ratio, tone in tones.items():
            audio = np.rint(tone * 8_000).astype(np.int16)
            ours, _, _ = heard("audio/band_limit", severity, audio)
            theirs = library(
                audiomentations.LowPassFilter(p=1.0, zero_phase=True), audio, cutoff_freq=cutoff, rolloff=48
            )
            loss = [20 * np.log10(max(1, np.std(x[2_000:-2_000])) / np.std(audio)) for x in (ours, theirs)]
            if ratio < 1:
                assert loss == pytest.approx([0, 0], abs=0.1)
            else:
                assert max(loss) < -12  # theirs is a Butterworth slope, ours is steep


class TestAlbumentations:
    @pytest.mark.parametrize("severity", SEVERITIES)
    def test_jpeg(self, albumentations, frame, severity):
        ours, report = seen("vision/jpeg", severity, frame)
        compress = albumentations.ImageCompression("jpeg", (1, 100), p=1.0)
        # It hands RGB to OpenCV as if it were BGR; given BGR it does what we do, to the last bit.
        theirs = compress.apply(frame[..., ::-1].copy(), int(report["quality"]), ".jpg")[..., ::-1]
        assert (ours == theirs).all()

    @pytest.mark.parametrize("severity", [1, 3])
    def test_low_resolution(self, albumentations, frame, severity):
        ours, report = seen("vision/low_resolution", severity, frame)
        pair = {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR}
        theirs = albumentations.Downscale(interpolation_pair=pair, p=1.0).apply(frame, scale=report["scale"])
        assert np.abs(ours - theirs).max() <= 2  # each rounds between its two steps

    @pytest.mark.parametrize("severity", [2, 5])
    def test_defocus(self, albumentations, frame, severity):
        ours, report = seen("vision/defocus", severity, frame)
        radius = round(report["pixels"])
        theirs = albumentations.Defocus(p=1.0).apply(frame, radius=radius, alias_blur=0.1)
        assert np.abs(inside(ours - theirs)).mean() < 1.5  # of discs of half and of whole pixels
        assert np.abs(inside(ours - theirs)).mean() < np.abs(inside(ours - frame)).mean() / 4

    @pytest.mark.parametrize("index", range(4))
    def test_motion_blur(self, albumentations, frame, index):
        from corruptions.vision.motion_blur import _path

        (_, ours, _), report, params = spoilt("vision/motion_blur", 4, frames=frame[None], index=index)
        kernel = np.zeros((41, 41), dtype=np.float32)
        for down, right in _path(params["direction"], report["pixels"]):
            kernel[20 + down, 20 + right] += 1 / report["pixels"]
        theirs = albumentations.MotionBlur(p=1.0).apply(frame, kernel=kernel)
        assert np.abs(inside(ours[0].astype(int) - theirs)).max() <= 1  # halves are rounded up or to even

    @pytest.mark.parametrize("severity", [1, 2])
    def test_gaussian_noise_has_the_strength_of_gauss_noise(self, albumentations, severity):
        grey = np.full((112, 112, 3), 128, dtype=np.uint8)
        ours, report = seen("vision/gaussian_noise", severity, grey)
        noise = albumentations.Compose([albumentations.GaussNoise((report["sigma"],) * 2, p=1.0)], seed=0)
        theirs = noise(image=grey)["image"].astype(np.float64)
        # Theirs cuts each value of noise towards zero to a whole level, which takes 0.4 of its deviation.
        assert ours.std() - theirs.std() == pytest.approx(0.4, abs=0.25)
        assert ours.mean() == pytest.approx(theirs.mean(), abs=1)

    @pytest.mark.parametrize("severity", SEVERITIES)
    def test_low_light_is_as_dark_as_a_contrast_lowered_to_black(self, albumentations, frame, severity):
        ours, report = seen("vision/low_light", severity, frame)
        theirs = albumentations.RandomBrightnessContrast(p=1.0).apply(frame, alpha=report["light"], beta=0.0)
        bright = frame >= 128  # elsewhere noise is cut off at black
        assert ours[bright].mean() == pytest.approx(
            theirs[bright].mean(), abs=0.6
        )  # theirs is cut to integers

    def test_the_mask_covers_what_coarse_dropout_covers(self, albumentations, frame):
        (_, ours, _), report, params = spoilt("vision/occlusion_mask", 5, frames=frame[None])
        # All rectangles whole, where ours stops at its share of the area: no pixel of ours lies outside.
        y, x, h, w = (np.array(params["rectangles"]).T * 112).astype(float) / 1024
        holes = np.stack([np.floor(x), np.floor(y), np.ceil(x + w), np.ceil(y + h)], axis=1).astype(int)
        covered = albumentations.CoarseDropout(fill=128, p=1.0).apply(frame, holes=holes, seed=0)
        hidden = (ours[0] != frame).any(axis=-1)
        assert hidden.mean() == pytest.approx(report["area"], abs=0.01)
        assert (ours[0][hidden] == 128).all()
        assert not (hidden & (covered == frame).all(axis=-1) & (frame != 128).all(axis=-1)).any()


class TestImageNetC:
    """Its formulas as Hendrycks and Dietterich (ICLR 2019) published them."""

    @pytest.mark.parametrize("severity", SEVERITIES)
    def test_shot_noise_is_poisson_in_photons_of_a_white_pixel(self, severity):
        level = 100
        ours, report = seen("vision/shot_noise", severity, np.full((112, 112, 3), level, dtype=np.uint8))
        photons = report["photons"]
        counts = np.arange(200)
        expected = np.minimum(np.rint(counts / photons * 255), 255)
        for value in np.unique(expected[poisson.pmf(counts, level / 255 * photons) > 0.02]):
            chance = poisson.pmf(counts, level / 255 * photons)[expected == value].sum()
            assert np.mean(ours == value) == pytest.approx(chance, abs=0.012)  # 37 632 draws: 4 deviations

    @pytest.mark.parametrize("severity", SEVERITIES)
    def test_jpeg_of_pillow_is_that_of_opencv(self, frame, severity):
        import io

        from PIL import Image

        ours, report = seen("vision/jpeg", severity, frame)
        held = io.BytesIO()
        Image.fromarray(frame).save(held, "JPEG", quality=int(report["quality"]))
        theirs = np.asarray(Image.open(held)).astype(np.float64)
        assert np.abs(ours - theirs).mean() < 2  # Pillow's decoder smooths the colours that were halved

    def test_the_picture_is_reduced_as_pixelate_does(self, frame):
        from PIL import Image

        ours, report = seen("vision/low_resolution", 3, frame)
        small = Image.fromarray(frame).resize(report["pixels"], Image.Resampling.BOX)
        enlarged = np.asarray(small.resize((112, 112), Image.Resampling.BILINEAR))  # theirs: nearest
        assert (ours == enlarged).all()


class TestNlpaug:
    def test_every_key_beside_another_is_so_for_nlpaug_too(self):
        augmenter = pytest.importorskip("nlpaug.augmenter.char").KeyboardAug()
        around, count = neighbours()
        missing = set()
        for letter in "abcdefghijklmnopqrstuvwxyz":
            ours = {chr(code) for code in around[ord(letter), : count[ord(letter)]]}
            # It has digits and signs as well, and keys two columns away in the next row.
            theirs = {key for key in augmenter.model.model[letter] if key.isalpha() and key.islower()}
            missing |= {(letter, other) for other in ours - theirs}
        assert missing == {("u", "y")}  # its table says " t" there

    def test_what_looks_alike_to_both(self):
        augmenter = pytest.importorskip("nlpaug.augmenter.char").OcrAug()
        theirs = {frozenset((a, b)) for a, others in augmenter.model.model.items() for b in others}
        ours = {frozenset((a, b)) for a, others in _confusions().items() for b in others}
        shared = {"".join(sorted(pair)) for pair in ours & theirs}
        assert {"0O", "0o", "1I", "1l", "2Z", "2z", "6b", "9g", "DO"} <= shared

    @pytest.mark.slow  # nlpaug's words take four seconds to import
    @pytest.mark.parametrize(
        ("name", "text", "make"),
        [
            (
                "text/word_delete",
                "we walk home today and sing",
                lambda char, word: word.RandomWordAug("delete", aug_min=1, aug_max=1),
            ),
            (
                "text/word_swap",
                "we walk home today and sing",
                lambda char, word: word.RandomWordAug("swap", aug_min=1, aug_max=1),
            ),
            (
                "text/char_delete",
                "wonderful",
                lambda char, word: char.RandomCharAug("delete", aug_char_min=1, aug_char_max=1, min_char=1),
            ),
        ],
    )
    def test_one_edit_has_the_same_outcomes(self, name, text, make):
        char = pytest.importorskip("nlpaug.augmenter.char")
        word = pytest.importorskip("nlpaug.augmenter.word")
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002 (the only generators that it takes)
        augmenter = make(char, word)
        theirs = {augmenter.augment(text)[0].lower() for _ in range(300)}
        ours = set()
        for index in range(300):
            (_, _, edited), report, _ = spoilt(name, 3, text=text, index=index)
            if report["edits"] == 1:
                ours.add(edited)
        assert ours == theirs
