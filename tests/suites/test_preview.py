"""A preview is what a suite would hold, and what a file of one's own becomes."""

from __future__ import annotations

import numpy as np
import pytest

from merbench.datasets import datasets
from merbench.errors import MerbenchError
from merbench.suites.plan import make_plan, parse_corruption
from merbench.suites.preview import read_sample, stages, write_preview
from merbench.types import SEVERITIES, MediaSpec


@pytest.mark.parametrize("name", ["audio/babble", "vision/occlusion_mask", "text/typo"])
def test_the_stages_of_a_sample_are_the_cells_of_a_suite(name):
    dataset = datasets["synthetic"](media=MediaSpec(frames=2, frame_size=32))
    corruption = parse_corruption(name, {})
    plan = make_plan(dataset, [corruption], SEVERITIES, split="test", limit=2)
    samples = [dataset.load(utterance) for utterance in plan.utterances]
    chunk = next(iter(plan.chunks(0, workers=1)))
    shown = stages(corruption, samples, plan.pool, dataset.name)
    assert [stage.severity for stage in shown] == [0, *SEVERITIES]
    assert shown[0].batch.text == chunk.clean.text
    for stage, (_, batch, _, achieved) in zip(shown[1:], list(chunk.cells)[-5:], strict=True):
        assert np.array_equal(stage.batch.audio.values, batch.audio.values)
        assert np.array_equal(stage.batch.frames.values, batch.frames.values)
        assert stage.batch.text == batch.text
        assert list(stage.achieved) == achieved


def test_a_scene_changes_all_that_a_film_holds(tmp_path):
    from merbench.media.plain import encode_mp4, encode_wav

    frames = np.full((8, 48, 48, 3), 120, dtype=np.uint8)
    (tmp_path / "film.mp4").write_bytes(encode_mp4(frames, np.arange(8) / 4))
    tone = (6000 * np.sin(np.arange(16_000) / 11)).astype(np.int16)
    (tmp_path / "voice.wav").write_bytes(encode_wav(tone, 16_000))
    street = parse_corruption("compound/street", {})
    seen = write_preview(street, tmp_path / "film.mp4", tmp_path / "out")
    heard = write_preview(street, tmp_path / "voice.wav", tmp_path / "out")
    assert [path.name for path in seen] == [f"film-compound-street-{s}.mp4" for s in SEVERITIES]
    assert [path.name for path in heard] == [f"voice-compound-street-{s}.wav" for s in SEVERITIES]


def test_a_text_is_read_in_its_normal_form_and_without_a_byte_order_mark(tmp_path):
    path = tmp_path / "said.txt"
    path.write_bytes("\ufeffcafe\u0301\r\n".encode())
    assert read_sample(path).text == "caf\u00e9"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("latin.txt", b"caf\xe9", "is not UTF-8 text"),
        ("empty.mp4", b"", "is empty"),
        ("noise.bin", bytes(range(256)) * 8, "cannot be decoded"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(name, content, said, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MerbenchError, match=said):
        read_sample(tmp_path / name)


def test_what_does_not_apply_is_refused_and_writes_nothing(tmp_path):
    (tmp_path / "said.txt").write_text("Nothing to strip here.")
    with pytest.raises(MerbenchError, match=r"emoji_strip does not apply to .*there are no emoji"):
        write_preview(parse_corruption("text/emoji_strip", {}), tmp_path / "said.txt", tmp_path / "out")
    assert not (tmp_path / "out").exists()
