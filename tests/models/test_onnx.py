"""Any ONNX network runs with a small TOML, and every mistake in that TOML has its own sentence."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

from merbench.errors import MerbenchError
from merbench.models._load import load_model
from merbench.models._onnx import read_onnx
from merbench.models._onnx_values import read_network
from merbench.types import Batch, Sample, Utterance
from tests.models.media import batch, without
from tests.models.onnx_files import channel_means, loudest, softmax_of_channels, two_inputs

COLOURS = """
[model]
file = "net.onnx"
labels = ["red", "green", "blue"]
trained_on = ["paintings"]
[input]
front_end = "image"
size = 8
[output]
kind = "logits"
"""


@pytest.fixture
def write(tmp_path):
    def write_toml(text=COLOURS, **changes):
        """Write the TOML with some lines exchanged: key="new line"."""
        lines = [
            changes.pop(line.split(" = ")[0], line) for line in textwrap.dedent(text).strip().splitlines()
        ]
        assert not changes
        path = tmp_path / "net.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return write_toml


@pytest.fixture
def colours(tmp_path, write):
    channel_means(tmp_path / "net.onnx")
    return write


def clip(*frames, text=None, audio=None, rate=None) -> Sample:
    """Return an utterance whose frames, 16 x 16 pixels, have these arrays broadcast over them."""
    pictures = [np.broadcast_to(np.array(frame, dtype=np.uint8), (16, 16, 3)) for frame in frames]
    return Sample(
        utterance=Utterance(id="u", label="x", split="all"),
        frames=np.stack(pictures) if pictures else None,
        timestamps=np.arange(len(pictures), dtype=np.float64) if pictures else None,
        text=text,
        audio=audio,
        sample_rate=rate,
    )


def probabilities(adapter, *samples: Sample) -> np.ndarray:
    return np.exp(adapter.predict(Batch.of(samples)))


def test_a_toml_or_the_network_beside_it_name_the_same_model(colours, tmp_path):
    toml = load_model(str(colours()))
    network = load_model(str(tmp_path / "net.onnx"))
    assert toml.name == network.name == "net"
    assert toml.labels == ("red", "green", "blue")
    assert toml.uses == ("vision",)
    assert toml.fingerprint() == network.fingerprint()


def test_training_data_is_what_the_toml_says(colours):
    assert [r.dataset for r in read_onnx(colours()).trained_on] == ["paintings"]
    assert read_onnx(colours(trained_on="trained_on = []")).trained_on == ()
    assert read_onnx(colours(trained_on="")).trained_on is None


def test_logits_become_log_probabilities(colours):
    found = read_onnx(colours(size="size = 8\nscale = 0.01")).predict(Batch.of([clip((100, 200, 0))]))
    exp = np.exp([1.0, 2.0, 0.0])
    assert np.exp(found) == pytest.approx(exp[None] / exp.sum(), abs=1e-6)


def test_probabilities_are_taken_as_they_are(tmp_path, write):
    softmax_of_channels(tmp_path / "net.onnx")
    adapter = read_onnx(write(kind='kind = "probabilities"', size="size = 8\nscale = 0.01"))
    assert probabilities(adapter, clip((100, 100, 100))) == pytest.approx(np.full((1, 3), 1 / 3), abs=1e-6)


def test_logits_that_claim_to_be_probabilities_are_refused(colours):
    adapter = read_onnx(colours(kind='kind = "probabilities"'))
    with pytest.raises(MerbenchError, match='no probabilities; set kind = "logits"'):
        adapter.predict(Batch.of([clip((1, 2, 3))]))


def test_an_answer_that_is_certain_has_finite_logits(colours):
    assert np.isfinite(read_onnx(colours()).predict(Batch.of([clip((0, 255, 0))]))).all()


def test_the_answer_is_the_mean_over_frames_or_the_middle_frame(colours):
    red, green = (255, 0, 0), (0, 255, 0)
    mean = probabilities(read_onnx(colours()), clip(red, green, green, green))
    assert mean == pytest.approx(np.array([[0.25, 0.75, 0]]), abs=1e-6)
    middle = probabilities(read_onnx(colours(size='size = 8\nframes = "middle"')), clip(red, green, red))
    assert middle.argmax() == 1


def test_a_crop_is_cut_out_before_resizing(colours):
    picture = np.zeros((16, 16, 3), dtype=np.uint8)
    picture[..., 0] = 255
    picture[4:12, 2:10] = (0, 0, 255)
    crop = "size = 8\ncrop = [0.125, 0.25, 0.5]"
    assert probabilities(read_onnx(colours(size=crop)), clip(picture))[0, 2] == pytest.approx(1)


def test_grey_pictures_are_luma_with_the_channel_last(tmp_path, write):
    channel_means(tmp_path / "net.onnx", ("n", 3, 3, 1))  # here it takes the mean of every row of pixels
    adapter = read_onnx(write(size='size = 3\ngrayscale = true\nlayout = "NHWC"\nscale = 0.01'))
    rows = np.zeros((1, 3, 3, 3), dtype=np.uint8)
    rows[0, 0, :, 0], rows[0, 1, :, 1] = 200, 200  # a red row, a green one and a black one
    sample = Sample(utterance=clip().utterance, frames=rows, timestamps=np.zeros(1))
    red, green, black = adapter.predict(Batch.of([sample]))[0]
    assert (red - black, green - black) == pytest.approx((2 * 0.299, 2 * 0.587), abs=1e-5)


def test_an_input_that_does_not_fit_the_network_is_refused(colours):
    adapter = read_onnx(colours(size="size = 9"))
    with pytest.raises(
        MerbenchError, match=r"shape \[1, 3, 9, 9\], and the network takes \['any', 3, 8, 8\]"
    ):
        adapter.predict(Batch.of([clip((1, 2, 3))]))


def test_a_waveform_goes_in_at_full_scale_one_and_full_length(tmp_path, write):
    loudest(tmp_path / "net.onnx")
    text = (
        COLOURS.replace('"image"', '"waveform"').replace('"green", "blue"', '"low"').replace("size = 8", "")
    )
    adapter = read_onnx(write(text + "\n"))
    assert adapter.wants.sample_rate == 16_000
    audio = np.array([0, 16384, -8192], dtype=np.int16)
    logits = adapter.predict(Batch.of([clip(audio=audio, rate=16_000)]))
    assert logits[0, 0] - logits[0, 1] == pytest.approx(0.5 - 0.25)


def test_labels_that_get_one_name_are_merged(colours):
    adapter = read_onnx(
        colours(kind='kind = "logits"\n[labels]\nred = "warm"\nblue = "cold"\ngreen = "cold"')
    )
    assert adapter.labels == ("warm", "cold")
    assert probabilities(adapter, clip((7, 7, 7))) == pytest.approx(np.array([[1 / 3, 2 / 3]]))


def test_without_its_modality_every_label_is_as_likely(colours):
    adapter = read_onnx(colours())
    lacking = without(batch(3, frame_size=8), "vision")
    assert np.exp(adapter.predict(lacking)) == pytest.approx(np.full((3, 3), 1 / 3))


def test_a_row_alone_gets_exactly_the_answer_it_gets_in_a_batch(colours):
    adapter = read_onnx(colours())
    full = batch(4, frame_size=16)
    together = adapter.predict(full)
    for i in range(4):
        assert np.array_equal(adapter.predict(full.take([i])), together[i : i + 1])


def test_a_network_for_one_picture_at_a_time_is_fed_one_at_a_time(tmp_path, write):
    channel_means(tmp_path / "net.onnx", (1, 3, 8, 8))
    found = probabilities(read_onnx(write()), clip((255, 0, 0), (0, 255, 0)))
    assert found == pytest.approx(np.array([[0.5, 0.5, 0]]), abs=1e-6)


def test_a_function_in_a_file_makes_the_input(tmp_path, write):
    channel_means(tmp_path / "net.onnx", ("n", 3, "h", "w"))
    code = "import numpy as np\ndef vowels(text):\n    n = sum(c in 'aeiou' for c in text)\n"
    code += "    return np.array([n, 0, 1.5], dtype='f4').reshape(1, 3, 1, 1)\n"
    (tmp_path / "front.py").write_text(code, encoding="utf-8")
    adapter = read_onnx(write(front_end='front_end = "front.py:vowels"', size='modality = "text"'))
    assert adapter.uses == ("text",)
    assert probabilities(adapter, clip(text="banana"), clip(text="dry")).argmax(axis=1).tolist() == [0, 2]


def test_the_fingerprint_covers_network_toml_and_front_end(tmp_path, write):
    channel_means(tmp_path / "net.onnx", ("n", 3, "h", "w"))
    front = tmp_path / "front.py"
    front.write_text("def f(text): return text", encoding="utf-8")
    lines = {"front_end": 'front_end = "front.py:f"', "size": 'modality = "text"'}
    prints = [read_onnx(write(**lines)).fingerprint()]
    front.write_text("def f(text): return text.lower()", encoding="utf-8")
    prints.append(read_onnx(write(**lines)).fingerprint())
    prints.append(read_onnx(write(**lines, trained_on="trained_on = []")).fingerprint())
    channel_means(tmp_path / "net.onnx", ("m", 3, "h", "w"))
    prints.append(read_onnx(write(**lines)).fingerprint())
    assert len(set(prints)) == 4


def refused(path, match: str) -> None:
    with pytest.raises(MerbenchError, match=match) as error:
        load_model(str(path))
    assert "\n" not in str(error.value)


def test_a_network_without_a_toml(tmp_path):
    refused(channel_means(tmp_path / "net.onnx"), r"there is no .*net\.toml; an ONNX network needs a TOML")


def test_a_toml_without_its_network(write):
    refused(write(), r"net\.toml names the network .*net\.onnx, which is not there")


def test_a_file_that_is_no_network(tmp_path, write):
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    refused(write(), "is not an ONNX network that can be run")


def test_a_file_that_is_no_toml(write):
    refused(write("[model\nfile = 3"), r"net\.toml is not TOML")


def test_a_key_outside_of_any_section(write):
    refused(write('file = "net.onnx"'), "has the key 'file' outside of any section")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"file": 'path = "net.onnx"'}, r"'\[model\] of .*' has no option 'path'; its options are: file"),
        ({"file": ""}, r"lacks \[model\] file"),
        ({"labels": ""}, r"lacks \[model\] labels"),
        ({"front_end": ""}, r"lacks \[input\] front_end"),
        ({"kind": ""}, r"lacks \[output\] kind"),
        ({"kind": 'kind = "odds"'}, r"option 'kind' of '\[output\] of .*' cannot be 'odds'; it is logits"),
        ({"[output]": "[outputs]"}, r"has a section \[outputs\]"),
        ({"size": "size = 8\nwidth = 8"}, r"'\[input\] of .*' has no option 'width'; its options are: size"),
        ({"size": ""}, "front_end 'image' needs a size"),
        ({"size": 'size = "big"'}, "option 'size' of .* cannot be 'big'"),
        ({"size": "size = 8\ncrop = [0.5, 0.5, 0.8]"}, "is no square inside the frame"),
        ({"size": 'size = 8\nframes = "last"'}, "cannot be 'last'; it is middle | mean"),
        ({"front_end": 'front_end = "picture"'}, "cannot be 'picture'; write waveform, image, or"),
        ({"front_end": 'front_end = "no.py:f"', "size": 'modality = "text"'}, r"there is no file .*no\.py"),
        ({"front_end": 'front_end = "no.py:f"', "size": ""}, "names a function but no modality"),
        ({"size": 'size = 8\nname = "pixels"'}, "asks for 'pixels', and the network has x; set name"),
        ({"kind": 'kind = "logits"\nname = "z"'}, "asks for 'z', and the network has y; set name"),
        (
            {"labels": 'labels = ["red", "green"]'},
            "lists 2 labels, and the network's output 'y' has 3 columns",
        ),
        ({"labels": 'labels = ["red", "red", "blue"]'}, "has a label twice; merge labels in"),
        ({"kind": 'kind = "logits"\n[labels]\npink = "red"'}, "renames 'pink', which is not in"),
    ],
)
def test_what_is_wrong_in_a_toml_is_said(colours, change, match):
    refused(colours(**change), match)


def test_a_function_that_is_not_in_the_file(colours, tmp_path):
    (tmp_path / "front.py").write_text("", encoding="utf-8")
    path = colours(front_end='front_end = "front.py:f"', size='modality = "text"')
    refused(path, r"front\.py has no function 'f'")


def test_a_function_that_fails(colours, tmp_path):
    (tmp_path / "front.py").write_text("def f(text): return text / 2", encoding="utf-8")
    adapter = read_onnx(colours(front_end='front_end = "front.py:f"', size='modality = "text"'))
    with pytest.raises(MerbenchError, match=r"front-end .*front\.py failed: TypeError"):
        adapter.predict(Batch.of([clip(text="x")]))


def test_a_network_with_several_inputs_must_be_told_which(tmp_path, write):
    two_inputs(tmp_path / "net.onnx")
    refused(write(), "names none of them, and the network has left, right")


VALUES = """
[model]
file = "net.onnx"
targets = ["valence", "arousal", "dominance"]
[input]
front_end = "image"
size = 8
[output]
kind = "values"
missing = [0.0, 1.0, 2.0]
"""


class TestValues:
    def test_a_network_of_numbers_answers_its_targets(self, tmp_path, write):
        channel_means(tmp_path / "net.onnx")
        model = read_network(write(VALUES))
        answer = model.predict(Batch.of([clip((51, 102, 255)), clip(text="no picture")]))
        assert answer.values == pytest.approx(np.array([[51, 102, 255], [0, 1, 2]]))
        assert answer.logits is None
        assert load_model(str(tmp_path / "net.toml")).targets == ("valence", "arousal", "dominance")

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"missing": "missing = [0]"}, r"\[output\] missing of .* has 1 values for 3 targets"),
            ({"targets": ""}, r"lacks \[model\] targets"),
            ({"kind": 'kind = "logits"'}, r"has no option 'targets'"),
            ({"front_end": ""}, r"lacks \[input\] front_end"),
            ({"file": 'file = "net.onnx"\n[labels]\na = "b"\n[extra]'}, r"has a section \[extra\]"),
        ],
    )
    def test_mistakes_have_their_own_sentence(self, tmp_path, write, changes, why):
        channel_means(tmp_path / "net.onnx")
        with pytest.raises(MerbenchError, match=why):
            read_network(write(VALUES, **changes))

    def test_a_network_of_another_width_is_refused_when_it_answers(self, tmp_path, write):
        channel_means(tmp_path / "net.onnx")
        model = read_network(write(VALUES, targets='targets = ["valence"]', missing="missing = [0]"))
        with pytest.raises(MerbenchError, match=r"answers \[3\] numbers, and its TOML lists 1 targets"):
            model.predict(Batch.of([clip((51, 102, 255))]))

    def test_one_of_labels_is_read_as_ever(self, colours):
        toml = colours()
        assert read_network(toml).fingerprint() == read_onnx(toml).fingerprint()
