"""Any file of a real dataset becomes canonical media, or one line that says what is wrong with it."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from merbench.errors import MerbenchError
from merbench.hashing import hash_array
from merbench.media.decode import Embedded, read_audio, read_clip, read_video
from merbench.media.encode import encode_png
from merbench.media.resample import resampled_length
from merbench.types import MediaSpec
from tests.media.clips import counting_frames, tone, truncate, write_clip
from tests.processors import environment

NATIVE = MediaSpec(sample_rate=None, frame_size=None)


def write_wav(path: Path, audio: np.ndarray, rate: int = 16_000, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, audio, rate, subtype=subtype)
    return path


def embedded(path: Path) -> Embedded:
    return Embedded(path.name, path.read_bytes)


class TestAudioFiles:
    @given(audio=arrays.arrays(np.int16, st.integers(1, 2000)), suffix=st.sampled_from([".wav", ".flac"]))
    @settings(max_examples=30, deadline=None)
    def test_pcm16_at_its_own_rate_comes_back_unchanged(self, tmp_path_factory, audio, suffix):
        path = write_wav(tmp_path_factory.mktemp("wav") / f"a{suffix}", audio)
        decoded = read_audio(path, MediaSpec(sample_rate=16_000))
        np.testing.assert_array_equal(decoded.audio, audio)
        assert decoded.clipped == np.count_nonzero((audio == 32767) | (audio == -32768))

    @pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "PCM_U8"])
    @pytest.mark.parametrize("channels", [1, 2, 6])
    def test_channels_are_averaged_and_rounded_half_to_even(self, tmp_path, subtype, channels):
        bits = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}[subtype]
        rng = np.random.default_rng(bits + channels)
        values = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (300, channels), dtype=np.int64)
        path = write_wav(tmp_path / "a.wav", (values << (32 - bits)).astype(np.int32), subtype=subtype)

        def canonical(frame: np.ndarray) -> int:
            mean = Fraction(sum(int(v) << (32 - bits) for v in frame), channels)
            on_24_bits = min(round(mean / 2**8), 2**23 - 1)
            return min(round(Fraction(on_24_bits, 2**8)), 32767)

        expected = np.array([canonical(frame) for frame in values], dtype=np.int16)
        decoded = read_audio(path, NATIVE)
        np.testing.assert_array_equal(decoded.audio, expected)
        assert decoded.channels == channels

    @pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
    def test_float_samples_are_scaled_and_what_exceeds_full_scale_is_counted(self, tmp_path, subtype):
        path = write_wav(
            tmp_path / "a.wav", np.array([0.0, 0.5, -0.25, 1.0, -1.0, 3.0, -7.5]), subtype=subtype
        )
        decoded = read_audio(path, NATIVE)
        assert decoded.audio.tolist() == [0, 16384, -8192, 32767, -32768, 32767, -32768]
        assert decoded.clipped == 4

    @pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
    def test_any_rate_is_resampled_to_the_wanted_one(self, tmp_path, rate):
        path = write_wav(tmp_path / "a.wav", tone(0.5, rate), rate)
        decoded = read_audio(path, MediaSpec(sample_rate=16_000))
        assert (decoded.sample_rate, decoded.source_rate) == (16_000, rate)
        assert len(decoded.audio) == resampled_length(round(0.5 * rate), rate, 16_000)
        middle = slice(800, -800)
        np.testing.assert_allclose(decoded.audio[middle], tone(0.5, 16_000)[middle], atol=2)

    def test_none_keeps_the_rate_of_the_file(self, tmp_path):
        decoded = read_audio(write_wav(tmp_path / "a.wav", tone(0.1, 44_100), 44_100), NATIVE)
        assert decoded.sample_rate == 44_100

    def test_one_sample_is_enough(self, tmp_path):
        path = write_wav(tmp_path / "a.wav", np.array([7], np.int16), 48_000)
        assert len(read_audio(path, MediaSpec()).audio) == 1

    def test_the_content_decides_and_not_the_suffix(self, tmp_path):
        mp3 = write_clip(tmp_path / "a.mp3", audio=tone(0.5, 16_000), audio_codec="libmp3lame")
        assert len(read_audio(mp3.rename(tmp_path / "a.wav"), MediaSpec()).audio) == 8000

    @pytest.mark.parametrize(
        ("name", "codec"),
        [("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.mp4", "libmp3lame"), ("a.opus", "libopus")],
    )
    def test_compressed_sound_is_aligned_with_the_original(self, tmp_path, name, codec):
        noise = np.random.default_rng(0).normal(0, 3000, 16_000).astype(np.int16)
        path = write_clip(tmp_path / name, audio=noise, audio_codec=codec)
        decoded = read_audio(path, MediaSpec()).audio[:16_000].astype(np.float64)
        lags = np.arange(-40, 41)
        agreement = [np.dot(np.roll(decoded, lag), noise) for lag in lags]
        assert lags[np.argmax(agreement)] == 0

    @pytest.mark.parametrize(
        "codec", ["pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_u8"]
    )
    def test_every_sample_format_inside_a_container_means_the_same(self, tmp_path, codec):
        original = tone(0.2, 16_000) if codec != "pcm_u8" else (tone(0.2, 16_000) >> 8) << 8
        path = write_clip(tmp_path / "a.mkv", audio=original.astype(np.int16), audio_codec=codec)
        np.testing.assert_array_equal(read_audio(path, MediaSpec()).audio, original)

    def test_a_wav_with_tags_behind_its_samples_is_whole(self, tmp_path):
        path = write_wav(tmp_path / "a.wav", tone(0.2, 16_000))
        path.write_bytes(path.read_bytes() + b"LIST\x04\0\0\0INFO" + b"garbage")
        np.testing.assert_array_equal(read_audio(path, MediaSpec()).audio, tone(0.2, 16_000))

    def test_embedded_bytes_read_as_the_file_does(self, tmp_path):
        path = write_wav(tmp_path / "a.wav", tone(0.2, 44_100), 44_100)
        inside, outside = read_audio(embedded(path), MediaSpec()), read_audio(path, MediaSpec())
        np.testing.assert_array_equal(inside.audio, outside.audio)

    def test_a_wav_written_to_a_pipe_leaves_its_size_open(self, tmp_path):
        path = write_wav(tmp_path / "a.wav", tone(0.2, 16_000))
        data = bytearray(path.read_bytes())
        at = data.index(b"data") + 4
        data[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
        path.write_bytes(data)
        np.testing.assert_array_equal(read_audio(path, MediaSpec()).audio, tone(0.2, 16_000))


class TestBadAudio:
    def refuses(self, path: Path, pattern: str) -> None:
        with pytest.raises(MerbenchError, match=pattern) as caught:
            read_audio(path, MediaSpec())
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_missing(self, tmp_path):
        self.refuses(tmp_path / "a.wav", "No such file")

    def test_a_folder(self, tmp_path):
        self.refuses(tmp_path, "Is a directory")

    def test_empty(self, tmp_path):
        (tmp_path / "a.wav").touch()
        self.refuses(tmp_path / "a.wav", "is empty")

    @pytest.mark.parametrize("name", ["a.wav", "a.mp4", "a.txt", "a.bin"])
    def test_not_a_media_file(self, tmp_path, name):
        (tmp_path / name).write_text("nothing to hear\n" * 99)
        self.refuses(tmp_path / name, "cannot be decoded|not a media file")

    @pytest.mark.parametrize("share", [0.999, 0.9, 0.5, 0.1, 0.01])
    @pytest.mark.parametrize("suffix", [".wav", ".flac"])
    def test_truncated(self, tmp_path, share, suffix):
        noise = np.random.default_rng(0).integers(-9000, 9000, 32_000).astype(np.int16)
        path = truncate(write_wav(tmp_path / f"a{suffix}", noise), share)
        self.refuses(path, "truncated|cannot be decoded")

    @pytest.mark.parametrize("share", [0.9, 0.5])
    def test_truncated_mp3_whose_header_tells_its_length(self, tmp_path, share):
        path = write_clip(tmp_path / "a.mp3", audio=tone(3.0, 16_000), audio_codec="libmp3lame")
        self.refuses(truncate(path, share), "is truncated: its header says")

    def test_zero_length(self, tmp_path):
        self.refuses(write_wav(tmp_path / "a.wav", np.zeros(0, np.int16)), "no audio samples")

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_not_finite(self, tmp_path, bad):
        path = write_wav(tmp_path / "a.wav", np.array([0.1, bad, 0.2]), subtype="FLOAT")
        self.refuses(path, "NaN or infinite")

    @pytest.mark.parametrize("content", [b"ID3\x03" + bytes(200), b"ID3\x03\0\0\0\0\0\x0a" + bytes(10)])
    def test_an_mp3_that_is_all_tag_and_no_frames(self, tmp_path, content):
        path = tmp_path / "a.mp3"
        path.write_bytes(content)
        with pytest.raises(MerbenchError, match=r"a\.mp3"):
            read_audio(path, MediaSpec())

    def test_a_video_without_sound(self, tmp_path):
        self.refuses(write_clip(tmp_path / "a.mp4", counting_frames(5)), "has no audio stream")


class TestVideoFiles:
    def test_lossless_pictures_and_sound_come_back_unchanged(self, tmp_path):
        frames = np.random.default_rng(0).integers(0, 256, (10, 48, 64, 3), dtype=np.uint8)
        path = write_clip(
            tmp_path / "a.mkv",
            frames,
            codec="ffv1",
            pixels="bgr0",
            audio=tone(1.0, 16_000),
            audio_codec="flac",
        )
        audio, video = read_clip(path, MediaSpec(frames=10, frame_size=None))
        np.testing.assert_array_equal(video.frames, frames)
        np.testing.assert_array_equal(video.timestamps, np.arange(10) / 10)
        np.testing.assert_array_equal(audio.audio, tone(1.0, 16_000))

    @pytest.mark.parametrize(
        ("name", "codec", "pixels"),
        [
            ("a.mp4", "libx264", "yuv420p"),
            ("a.avi", "mpeg4", "yuv420p"),
            ("a.avi", "mjpeg", "yuvj420p"),
            ("a.mkv", "libvpx-vp9", "yuv420p"),
            ("a.mov", "mpeg4", "yuv420p"),
            ("a.flv", "flv1", "yuv420p"),
            ("a.h264", "libx264", "yuv420p"),
        ],
    )
    def test_frames_are_evenly_spaced_and_begin_with_the_first(self, tmp_path, name, codec, pixels):
        path = write_clip(tmp_path / name, counting_frames(40), codec=codec, pixels=pixels)
        video = read_video(path, MediaSpec(frames=8, frame_size=None))
        numbers = np.rint(video.frames[:, 20:30, 20:30].mean(axis=(1, 2, 3)) / 6)
        np.testing.assert_array_equal(numbers, np.arange(0, 40, 5))
        assert video.distinct == 8

    def test_a_frame_is_the_last_picture_shown_at_or_before_its_time(self, tmp_path):
        path = write_clip(
            tmp_path / "a.mkv", counting_frames(4), codec="ffv1", pixels="bgr0", ticks=[0, 100, 200, 900]
        )  # mean step 300 ms: 1.2 s, so the frames are wanted at 0, 150, 300, ... ms
        video = read_video(path, MediaSpec(frames=8, frame_size=None))
        assert (video.frames[:, 0, 0, 0] // 6).tolist() == [0, 1, 2, 2, 2, 2, 3, 3]
        np.testing.assert_array_equal(video.timestamps, [0, 0.1, 0.2, 0.2, 0.2, 0.2, 0.9, 0.9])
        assert video.distinct == 4

    @pytest.mark.parametrize("n", [1, 2, 3])
    def test_a_clip_of_fewer_pictures_repeats_them_and_says_so(self, tmp_path, n):
        path = write_clip(tmp_path / "a.mp4", counting_frames(n))
        video = read_video(path, MediaSpec(frames=16))
        assert video.frames.shape == (16, 224, 224, 3)
        assert video.distinct == len(np.unique(video.timestamps)) == n
        assert video.timestamps[0] == 0

    def test_times_count_from_the_start_of_the_sound_when_the_pictures_come_later(self, tmp_path):
        path = write_clip(
            tmp_path / "a.mkv",
            counting_frames(5),
            codec="ffv1",
            pixels="bgr0",
            ticks=[27, 127, 227, 327, 427],
            audio=tone(0.5, 16_000),
            audio_codec="flac",
        )
        spec = MediaSpec(frames=5, frame_size=None)
        np.testing.assert_array_equal(read_video(path, spec).timestamps, [0.027, 0.127, 0.227, 0.327, 0.427])
        np.testing.assert_array_equal(read_audio(path, spec).audio, tone(0.5, 16_000))

    def test_sound_that_comes_later_is_preceded_by_silence(self, tmp_path):
        path = write_clip(
            tmp_path / "a.mkv",
            counting_frames(8),
            codec="ffv1",
            pixels="bgr0",
            audio=tone(0.5, 16_000),
            audio_codec="flac",
            audio_delay=0.25,
        )
        expected = np.concatenate([np.zeros(4000, np.int16), tone(0.5, 16_000)])
        np.testing.assert_array_equal(read_audio(path, MediaSpec()).audio, expected)
        assert read_video(path, MediaSpec()).timestamps[0] == 0

    def test_sound_may_outlast_the_pictures_and_the_other_way_round(self, tmp_path):
        for name, pictures, seconds in (("sound", 5, 2.0), ("pictures", 20, 0.5)):
            path = write_clip(
                tmp_path / f"{name}.mkv",
                counting_frames(pictures),
                codec="ffv1",
                pixels="bgr0",
                audio=tone(seconds, 16_000),
                audio_codec="flac",
            )
            audio, video = read_clip(path, MediaSpec(frames=5, frame_size=None))
            np.testing.assert_array_equal(audio.audio, tone(seconds, 16_000))
            np.testing.assert_allclose(video.timestamps, np.arange(5) * pictures / 50, atol=1e-9)

    def test_one_pass_over_both_streams_equals_two(self, tmp_path):
        path = write_clip(tmp_path / "a.mp4", counting_frames(20), audio=tone(2.0, 16_000))
        audio, video = read_clip(path, MediaSpec())
        np.testing.assert_array_equal(audio.audio, read_audio(path, MediaSpec()).audio)
        np.testing.assert_array_equal(video.frames, read_video(path, MediaSpec()).frames)

    def test_the_centre_square_is_kept_in_proportion(self, tmp_path):
        frames = np.zeros((3, 60, 100, 3), np.uint8)
        frames[:, :, 20:80] = 200  # exactly the centre square
        path = write_clip(tmp_path / "a.mkv", frames, codec="ffv1", pixels="bgr0")
        assert (read_video(path, MediaSpec(frames=3, frame_size=32)).frames == 200).all()

    def test_a_recording_made_with_the_phone_on_its_side_is_upright(self, tmp_path):
        frames = np.zeros((3, 48, 64, 3), np.uint8)
        frames[:, :, :32] = 255  # bright on the left: on top once turned clockwise
        path = write_clip(tmp_path / "a.mp4", frames)
        data = bytearray(path.read_bytes())
        matrix = data.index(b"tkhd") + 44
        data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 48 << 16, 0, 1 << 30)
        path.write_bytes(data)
        video = read_video(path, MediaSpec(frames=1, frame_size=None))
        assert video.frames.shape == (1, 64, 48, 3)
        assert video.frames[0, :24].mean() > 240 > 15 > video.frames[0, 40:].mean()

    def test_threads_read_the_same_bytes(self, tmp_path):
        path = write_clip(tmp_path / "a.mp4", counting_frames(20), audio=tone(2.0, 16_000))

        def fingerprint(_: int) -> tuple[str, str]:
            audio, video = read_clip(path, MediaSpec())
            return hash_array(audio.audio), hash_array(video.frames)

        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(fingerprint, range(8)))) == 1


class TestImages:
    @pytest.mark.parametrize("suffix", [".png", ".bmp"])
    def test_an_image_is_a_clip_of_one_frame(self, tmp_path, suffix):
        picture = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / f"a{suffix}")
        video = read_video(tmp_path / f"a{suffix}", NATIVE)
        np.testing.assert_array_equal(video.frames, picture[None])
        np.testing.assert_array_equal(video.timestamps, [0.0])

    def test_grey_becomes_rgb(self, tmp_path):
        Image.fromarray(np.full((8, 8), 77, np.uint8)).save(tmp_path / "a.png")
        assert (read_video(tmp_path / "a.png", MediaSpec(frame_size=16)).frames == 77).all()

    def test_the_camera_orientation_is_applied(self, tmp_path):
        picture = np.zeros((8, 16, 3), np.uint8)
        exif = Image.Exif()
        exif[0x0112] = 6  # turn clockwise
        Image.fromarray(picture).save(tmp_path / "a.jpg", exif=exif)
        assert read_video(tmp_path / "a.jpg", NATIVE).frames.shape == (1, 16, 8, 3)

    def test_sixteen_bits_per_channel_are_refused(self, tmp_path):
        Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "a.png")
        with pytest.raises(MerbenchError, match="more than 8 bits"):
            read_video(tmp_path / "a.png", NATIVE)

    def test_a_truncated_image_is_refused(self, tmp_path):
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(
            tmp_path / "a.png"
        )
        with pytest.raises(MerbenchError, match="cannot be decoded"):
            read_video(truncate(tmp_path / "a.png", 0.5), NATIVE)


class TestBadVideo:
    @pytest.mark.parametrize("share", [0.999, 0.9, 0.5, 0.1, 0.01])
    @pytest.mark.parametrize("movflags", ["", "faststart", "frag_keyframe+empty_moov"])
    def test_truncated_mp4(self, tmp_path, share, movflags):
        noise = np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), dtype=np.uint8)
        options = {"movflags": movflags} if movflags else {}
        path = write_clip(tmp_path / "a.mp4", noise, audio=tone(1.2, 16_000), options=options)
        with pytest.raises(MerbenchError, match="is truncated"):
            read_clip(truncate(path, share), MediaSpec())

    @pytest.mark.parametrize("share", [0.97, 0.9, 0.5, 0.1])
    @pytest.mark.parametrize("name", ["a.flv", "a.avi", "a.mkv"])
    def test_truncated_elsewhere(self, tmp_path, share, name):
        noise = np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), dtype=np.uint8)
        codec = {"a.flv": "flv1", "a.avi": "mpeg4", "a.mkv": "libx264"}[name]
        path = write_clip(tmp_path / name, noise, codec=codec, audio=tone(3.0, 16_000))
        with pytest.raises(MerbenchError, match=r"truncated|cannot be decoded|damaged|neither"):
            read_clip(truncate(path, share), MediaSpec())

    def test_flash_video_cut_exactly_between_two_tags(self, tmp_path):
        path = write_clip(tmp_path / "a.flv", counting_frames(40), codec="flv1", audio=tone(4.0, 16_000))
        data = path.read_bytes()
        end = 13  # of the header; a tag is 11 bytes, its data, and 4 bytes
        while end < len(data) // 2:
            end += 11 + int.from_bytes(data[end + 1 : end + 4]) + 4
        path.write_bytes(data[:end])
        with pytest.raises(MerbenchError, match="is truncated: its header says 4"):
            read_clip(path, MediaSpec())

    def test_no_video_stream(self, tmp_path):
        path = write_clip(tmp_path / "a.mp4", audio=tone(0.5, 16_000))
        with pytest.raises(MerbenchError, match="has no video stream"):
            read_clip(path, MediaSpec())

    def test_an_album_cover_is_no_video(self, tmp_path):
        path = write_clip(tmp_path / "plain.mp3", audio=tone(0.5, 16_000), audio_codec="libmp3lame")
        png = encode_png(np.full((8, 8, 3), 99, np.uint8))
        picture = b"\0image/png\0\3\0" + png  # ID3v2.3 APIC: latin-1, type 3 (front cover)
        frame = b"APIC" + struct.pack(">IH", len(picture), 0) + picture
        size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
        plain = path.read_bytes()
        own_tag = 10 + sum(byte << shift for byte, shift in zip(plain[6:10], (21, 14, 7, 0), strict=True))
        covered = tmp_path / "covered.mp3"
        covered.write_bytes(b"ID3\3\0\0" + size + frame + plain[own_tag:])
        assert len(read_audio(covered, MediaSpec()).audio) == 8000
        with pytest.raises(MerbenchError, match="has no video stream"):
            read_video(covered, MediaSpec())


PROBE = """
import ctypes, sys
from pathlib import Path
if sys.argv[1] == "plain":
    library = next(Path(sys.argv[2]).glob("libavutil*"))
    ctypes.CDLL(str(library)).av_force_cpu_flags(0)
import merbench.media.decode as decode
from merbench.hashing import hash_array
from merbench.types import MediaSpec
for name in sys.argv[3:]:
    audio, video = decode.read_clip(Path(name), MediaSpec())
    print(hash_array(video.frames), audio and hash_array(audio.audio))
"""


def hashes_with(processor: str, libraries: Path, files: list[Path]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, processor, libraries, *files],
        env=(environment("without AVX512 and AVX2") if processor == "plain" else None) or dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_processor_without_vector_units_decodes_the_same_bytes(tmp_path):
    """FFmpeg's usual MP3 and AAC decoders and its fast colour conversion do not; ours must."""
    import av

    libraries = Path(av.__file__).parents[1] / "av.libs"
    if not libraries.is_dir():
        pytest.skip("PyAV was not installed from a wheel: its FFmpeg libraries cannot be found")
    noise = np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), dtype=np.uint8)
    voice = np.random.default_rng(1).integers(-9000, 9000, 44_100).astype(np.int16)
    files = [
        write_clip(tmp_path / f"{codec}.mp4", noise, audio=voice, audio_codec=codec, rate=44_100)
        for codec in ("aac", "libmp3lame")
    ]
    assert hashes_with("plain", libraries, files) == hashes_with("this", libraries, files)


class TestRealRecordings:
    def test_crema_d_flash_video_starts_27_ms_after_its_sound(self, real_data):
        for path in sorted(real_data.glob("av/cremad/*.flv")):
            audio, video = read_clip(path, MediaSpec())
            assert video.frames.shape == (16, 224, 224, 3)
            assert video.distinct == 16
            assert video.timestamps[0] == 0.027
            assert (np.diff(video.timestamps) > 0).all()
            other, _ = soundfile.read(path.parent / "wav16k" / f"{path.stem}.wav", dtype="int16")
            assert abs(len(audio.audio) - len(other)) <= 1
            n = min(len(audio.audio), len(other))
            assert np.corrcoef(audio.audio[:n], other[:n])[0, 1] > 0.9999  # somebody else's conversion

    def test_grid_mpeg_1_has_75_pictures_and_stereo_sound(self, real_data):
        for path in sorted(real_data.glob("av/grid/*.mpg")):
            audio, video = read_clip(path, MediaSpec(frames=75))
            assert video.distinct == 75
            np.testing.assert_allclose(np.diff(video.timestamps), 0.04)
            assert (audio.channels, audio.source_rate) == (2, 44_100)
            assert abs(len(audio.audio) / 16_000 - 2.978) < 0.001

    def test_h264_without_sound(self, real_data):
        for path in sorted(real_data.glob("video/ai_faces/*.mp4")):
            audio, video = read_clip(path, MediaSpec())
            assert audio is None
            np.testing.assert_allclose(video.timestamps, np.arange(16) * 5 / 16, atol=1 / 30)

    def test_every_sound_of_the_collection_decodes(self, real_data):
        paths = [p for p in sorted(real_data.glob("*/**/*")) if p.suffix in (".wav", ".mp3")]
        assert len(paths) >= 300
        for path in paths[::4]:
            assert len(read_audio(path, MediaSpec()).audio) > 1600, path

    @pytest.mark.parametrize("share", [0.97, 0.9, 0.7, 0.5, 0.3, 0.1, 0.03, 0.01])
    @pytest.mark.parametrize(
        "name", ["av/cremad/1001_DFA_ANG_XX.flv", "av/grid/bbaf2n.mpg", "video/ai_faces/neutral.mp4"]
    )
    def test_a_truncated_recording_is_refused(self, real_data, tmp_path, name, share):
        copy = tmp_path / Path(name).name
        copy.write_bytes((real_data / name).read_bytes())
        with pytest.raises(MerbenchError):
            read_clip(truncate(copy, share), MediaSpec())


@pytest.mark.parametrize("level", [0, 64, 128, 255])
def test_grey_pictures_keep_their_level(tmp_path, level):
    """FFmpeg's default colour conversion darkens by up to two levels: white reads 253."""
    path = write_clip(tmp_path / "grey.mp4", np.full((6, 64, 64, 3), level, np.uint8))
    frames = read_video(path, MediaSpec(frames=2, frame_size=None)).frames
    assert np.abs(frames.astype(int) - level).max() <= 1
