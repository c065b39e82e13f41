"""Classifiers of the transformers library run from their folder, as the library itself would run them."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest

from merbench.errors import MerbenchError
from merbench.media.conform import conform
from merbench.models._load import load_model
from tests.models import transformers_models
from tests.models.media import batch, samples, without

EMOTIONS = ("neutral", "happy", "sad", "angry")
MODALITY = {"audio": "audio", "image": "vision", "video": "vision", "text": "text"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("checkpoints")
    return {kind: write(base / kind) for kind, write in transformers_models.KINDS.items()}


@pytest.fixture
def copy(folders, tmp_path):
    """Return a copy of one of the checkpoints, with some entries of its config.json exchanged."""

    def copied(kind, **config):
        folder = tmp_path / kind
        shutil.copytree(folders[kind], folder)
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
        return folder

    return copied


@pytest.fixture(scope="module")
def media():
    return conform(batch(frame_size=48), sample_rate=8000, frame_size=None)


def probabilities(adapter, media):
    return np.exp(adapter.predict(media))


def scores(answers) -> list[list[float]]:
    """Return what a pipeline answered in the order of `EMOTIONS`."""
    return [[{a["label"].lower(): a["score"] for a in row}[label] for label in EMOTIONS] for row in answers]


def refused(spec: object, *words: str) -> None:
    with pytest.raises(MerbenchError) as error:
        load_model(str(spec))
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value), f"{word!r} is not in {error.value}"


@pytest.mark.parametrize("kind", MODALITY)
def test_the_configuration_tells_task_and_labels(folders, kind):
    adapter = load_model(str(folders[kind]))
    assert adapter.uses == (MODALITY[kind],)
    assert adapter.labels == EMOTIONS
    assert adapter.name == kind
    assert adapter.trained_on is None


def test_the_audio_front_end_and_network_are_those_of_the_librarys_pipeline(folders, media):
    from transformers import pipeline

    pipe = pipeline("audio-classification", model=str(folders["audio"]), top_k=4)
    expected = scores([pipe(audio / np.float32(32768)) for audio in media.audio])
    assert np.ptp(expected, axis=0).max() > 1e-3
    assert probabilities(load_model(str(folders["audio"])), media) == pytest.approx(
        np.array(expected), abs=1e-5
    )


def test_the_image_front_end_and_network_are_those_of_the_librarys_pipeline(folders, media):
    from PIL import Image
    from transformers import pipeline

    pipe = pipeline("image-classification", model=str(folders["image"]), top_k=4)
    expected = scores([pipe(Image.fromarray(clip[0])) for clip in media.frames])
    first = load_model(f"{folders['image']}:frames=first")
    assert probabilities(first, media) == pytest.approx(np.array(expected), abs=1e-5)


def test_the_text_front_end_and_network_are_those_of_the_librarys_pipeline(folders, media):
    from transformers import pipeline

    pipe = pipeline("text-classification", model=str(folders["text"]), top_k=4)
    expected = scores(pipe(list(media.text)))
    assert probabilities(load_model(str(folders["text"])), media) == pytest.approx(
        np.array(expected), abs=1e-5
    )


def test_the_video_front_end_and_network_are_those_of_the_library(folders):
    import torch
    from transformers import AutoImageProcessor, VideoMAEForVideoClassification

    wide = [sample.frames[:, :40] for sample in samples(3, frame_size=60)]
    noise = np.random.default_rng(0).integers(0, 256, wide[0].shape, dtype=np.uint8)
    media = batch(3, frame_size=8)
    media = media.replace(frames=type(media.frames).of([noise, *wide[1:]], np.uint8))
    process = AutoImageProcessor.from_pretrained(folders["video"], backend="pil")
    network = VideoMAEForVideoClassification.from_pretrained(folders["video"]).eval()
    for row, clip in enumerate(media.frames):
        pixels = process([clip[i] for i in (0, 5, 10, 15)], return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            expected = network(pixels).logits.softmax(-1).numpy()
        answered = probabilities(load_model(str(folders["video"])), media.take([row]))
        assert answered == pytest.approx(expected, abs=1e-5)


def test_the_old_name_of_an_image_processor_is_understood(copy, folders, media):
    folder = copy("image")
    steps = json.loads((folder / "preprocessor_config.json").read_text())
    old = json.dumps({**steps, "image_processor_type": "ViTFeatureExtractor"})
    (folder / "preprocessor_config.json").write_text(old)
    expected = load_model(str(folders["image"])).predict(media)
    assert load_model(str(folder)).predict(media) == pytest.approx(expected)


def test_pictures_are_averaged_over_the_clip(folders, media):
    clips = [np.stack([clip[0], 255 - clip[0]]) for clip in media.frames]
    two = media.replace(frames=type(media.frames).of(clips, np.uint8))
    first, second = (load_model(f"{folders['image']}:frames={f}").predict(two) for f in ("first", "middle"))
    mean = (first + second) / 2
    expected = mean - np.log(np.exp(mean).sum(axis=1, keepdims=True))
    assert load_model(str(folders["image"])).predict(two) == pytest.approx(expected, abs=1e-5)


def test_group_normalisation_sees_padding_so_such_a_network_is_never_padded(folders, media):
    import torch

    adapter = load_model(str(folders["audio"]))
    waveform = torch.from_numpy(media.audio[0][None] / np.float32(32768))
    with torch.inference_mode():
        alone = adapter._network(waveform).logits
        mask = torch.ones(1, waveform.shape[1] + 4000)
        mask[:, waveform.shape[1] :] = 0
        padded = adapter._network(torch.nn.functional.pad(waveform, (0, 4000)), attention_mask=mask).logits
    assert (alone - padded).abs().max() > 1e-2
    together = adapter.predict(media)
    for row in range(len(media)):
        assert together[row] == pytest.approx(adapter.predict(media.take([row]))[0], abs=1e-5)


def test_layer_normalisation_does_not_so_rows_of_similar_length_share_a_pass(tmp_path, media):
    adapter = load_model(str(transformers_models.audio(tmp_path / "layer", norm="layer")))
    together = adapter.predict(media)
    calls = []
    forward = adapter._network.forward
    adapter._network.forward = lambda **tensors: (
        calls.append(len(tensors["input_values"])) or forward(**tensors)
    )
    adapter.predict(media)
    assert len(calls) < len(media)
    for row in range(len(media)):
        assert together[row] == pytest.approx(adapter.predict(media.take([row]))[0], abs=1e-5)


@pytest.mark.parametrize("length", [0, 1, 399])
def test_a_sound_shorter_than_a_frame_has_an_answer(folders, media, length):
    short = media.replace(audio=type(media.audio).of([np.ones(length, np.int16)] * 8, np.int16))
    assert np.isfinite(load_model(str(folders["audio"])).predict(short)).all()


def test_a_text_longer_than_the_positions_is_cut(folders, media):
    long = media.replace(text=("happy " * 500,) * 8)
    assert np.isfinite(load_model(str(folders["text"])).predict(long)).all()


@pytest.mark.parametrize("kind", MODALITY)
def test_without_its_modality_every_label_is_equally_likely(folders, media, kind):
    answers = probabilities(load_model(str(folders[kind])), without(media, MODALITY[kind]))
    assert answers == pytest.approx(np.full((8, 4), 0.25))


def test_labels_of_one_name_are_merged(folders, media):
    apart = probabilities(load_model(str(folders["text"])), media)
    merged = load_model(f"{folders['text']}:labels=calm+low+low+low")
    assert merged.labels == ("calm", "low")
    assert probabilities(merged, media)[:, 1] == pytest.approx(apart[:, 1:].sum(axis=1))


def test_labels_that_may_hold_together_are_shares_of_their_chances(copy, folders, media):
    joint = probabilities(load_model(str(copy("text", problem_type="multi_label_classification"))), media)
    exclusive = probabilities(load_model(str(folders["text"])), media)
    assert (joint.argmax(axis=1) == exclusive.argmax(axis=1)).all()
    assert joint.sum(axis=1) == pytest.approx(1)
    assert not np.allclose(joint, exclusive, atol=1e-2)


def test_the_fingerprint_covers_weights_configuration_vocabulary_and_options(folders, copy):
    spec = str(folders["text"])
    prints = [load_model(s).fingerprint() for s in (spec, spec, f"{spec}:labels=a+b+c+d")]
    folder = copy("text", attention_probs_dropout_prob=0.5)
    prints.append(load_model(str(folder)).fingerprint())
    (folder / "vocab.txt").write_text((folder / "vocab.txt").read_text() + "\nmore")
    prints.append(load_model(str(folder)).fingerprint())
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    prints.append(load_model(str(folder)).fingerprint())
    assert prints[0] == prints[1]
    assert len(set(prints)) == 5


def test_it_computes_in_the_precision_asked_for(folders, media):
    adapter = load_model(str(folders["text"]), precision="bfloat16")
    adapter.predict(media)
    assert str(adapter._network.dtype) == "torch.bfloat16"


def test_what_it_was_trained_on_can_be_said(folders):
    assert [r.dataset for r in load_model(f"{folders['text']}:trained_on=meld").trained_on] == ["meld"]


def test_a_model_of_the_hub_that_is_not_cached_is_refused_at_once_offline(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    refused(
        "nobody/no-such-model-of-emotions", "HF_HUB_OFFLINE", "hf download nobody/no-such-model-of-emotions"
    )
    refused("nobody/no-such-model:revision=v2", "hf download nobody/no-such-model --revision v2")


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("GatedRepoError", ("does not let you read", "hf auth login")),
        ("RepositoryNotFoundError", ("neither a folder here nor a model on the hub",)),
        ("ConnectionError", ("the hub cannot be reached (ConnectionError", "hf download somebody/bert")),
    ],
)
def test_what_the_hub_answers_is_said_in_one_line(monkeypatch, failure, words):
    import huggingface_hub
    from huggingface_hub import errors

    def asked(*_, **__):
        raise getattr(errors, failure, ConnectionError).__new__(getattr(errors, failure, ConnectionError))

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", asked)
    refused("somebody/bert", *words)


def test_no_pickle_is_fetched_where_there_are_safetensors():
    from merbench.pretrained import _needed

    files = [
        "config.json",
        "README.md",
        "own.py",
        "model.safetensors",
        "pytorch_model.bin",
        "onnx/model.onnx",
    ]
    assert _needed(files) == ["config.json", "model.safetensors"]
    assert _needed(files[:3] + files[4:]) == ["config.json", "pytorch_model.bin"]


def test_a_name_that_the_hub_does_not_allow():
    refused("some--body/..bert", "nor a name that the hub allows")


def test_a_cached_model_of_the_hub_needs_no_network(folders, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(folders["text"]))
    assert load_model("somebody/bert").name == "somebody/bert"


def test_a_path_that_leads_nowhere():
    refused("runs/a/folder/of/mine", "there is no folder runs/a/folder/of/mine")


def test_a_folder_without_configuration_weights_or_vocabulary(copy, tmp_path):
    refused(tmp_path, "has no config.json")
    folder = copy("text")
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").unlink(missing_ok=True)
    refused(folder, "the vocabulary of 'text' is not there")
    (folder / "model.safetensors").unlink()
    refused(folder, "has no weights (model.safetensors or pytorch_model.bin)")


def test_a_folder_has_no_revision(folders):
    refused(f"{folders['text']}:revision=main", "is a folder: it has no revision")


def test_labels_without_names_are_refused_with_the_remedy(copy):
    nameless = {str(i): f"LABEL_{i}" for i in range(4)}
    folder = copy("text", id2label=nameless, label2id={v: int(k) for k, v in nameless.items()})
    refused(folder, "'LABEL_0'", "give their 4 names in order", ":labels=a+b+c")
    assert load_model(f"{folder}:labels=a+b+c+d").labels == ("a", "b", "c", "d")


def test_too_few_labels_are_refused(folders):
    refused(f"{folders['text']}:labels=a+b", "labels= gives 2 names, and 'text' has 4 classes")


def test_a_regressor_is_refused(copy):
    refused(copy("text", problem_type="regression"), "answers a number and not a class")


@pytest.mark.parametrize(
    ("architectures", "what"), [(["BertForMaskedLM"], "is a BertForMaskedLM"), ([], "names no architecture")]
)
def test_a_model_that_classifies_nothing_is_refused(copy, architectures, what):
    refused(copy("text", architectures=architectures), what, "say what it classifies with task=")


def test_the_task_can_be_said(copy):
    assert load_model(f"{copy('text', architectures=[])}:task=text").uses == ("text",)
    refused(f"{copy('audio')}:task=smell", "cannot be 'smell'", "audio | image | video | text")


def test_code_of_the_checkpoints_own_is_never_run(copy, tmp_path):
    witness = tmp_path / "witness"
    auto = {"AutoConfig": "own.Own", "AutoModelForSequenceClassification": "own.Own"}
    folder = copy("text", model_type="of_my_own", auto_map=auto)
    (folder / "own.py").write_text(f"open({str(witness)!r}, 'w').write('ran')\n")
    refused(folder, "the configuration of 'text' cannot be read", "file.py:Class")
    assert not witness.exists()


def predicting_is_refused(folder, media, *words) -> None:
    with pytest.raises(MerbenchError) as error:
        load_model(str(folder)).predict(media)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value), f"{word!r} is not in {error.value}"


def weights_of(folder) -> dict:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def test_a_pickle_with_code_in_it_is_refused_and_nothing_runs(copy, media, tmp_path):
    witness = tmp_path / "witness"

    class Payload:
        def __reduce__(self):
            return open, (str(witness), "w")

    folder = copy("text")
    (folder / "model.safetensors").unlink()
    with (folder / "pytorch_model.bin").open("wb") as handle:
        pickle.dump({"classifier.weight": Payload()}, handle, protocol=2)  # as torch.save does
    predicting_is_refused(folder, media, "pytorch_model.bin", "nothing of them was executed", "safetensors")
    assert not witness.exists()


def test_a_pickle_of_tensors_is_read(copy, folders, media):
    import torch

    folder = copy("text")
    torch.save(weights_of(folder), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    expected = load_model(str(folders["text"])).predict(media)
    assert load_model(str(folder)).predict(media) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("classifier.weight"), ("lack classifier.weight", "not a fine-tuned classifier")),
        (
            lambda w: w.update({"classifier.weight": w["classifier.weight"][:3]}),
            ("another shape for", "classifier"),
        ),
        (lambda w: w["classifier.bias"].fill_(float("nan")), ("hold NaN or infinity in classifier.bias",)),
        (
            lambda w: w.update({k.replace("layer.1.", "layer.2."): v.clone() for k, v in w.items()}),
            ("have layers that it has not: bert.encoder.layer.2.",),
        ),
    ],
    ids=["missing", "mis-shaped", "not-a-number", "deeper"],
)
def test_a_checkpoint_that_is_not_whole_is_refused(copy, media, change, words):
    from safetensors.torch import save_file

    folder = copy("text")
    weights = {key: value.clone() for key, value in weights_of(folder).items()}
    change(weights)
    save_file({k: v.contiguous() for k, v in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    predicting_is_refused(folder, media, *words)


def test_a_head_of_another_task_that_was_left_in_a_checkpoint_does_no_harm(copy, folders, media):
    import torch
    from safetensors.torch import save_file

    folder = copy("text")
    weights = {**weights_of(folder), "cls.predictions.bias": torch.ones(4)}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    expected = load_model(str(folders["text"])).predict(media)
    assert load_model(str(folder)).predict(media) == pytest.approx(expected)


def test_truncated_weights_are_refused(copy, media):
    folder = copy("text")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    predicting_is_refused(folder, media, "cannot be loaded")


def test_a_network_on_a_gpu_that_is_not_there_is_refused(folders):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(MerbenchError, match="--device cuda was asked for"):
        load_model(str(folders["text"]), device="cuda")


def test_a_folder_is_all_that_the_command_line_needs(merbench, folders, texts, tmp_path):
    data = [
        "--dataset",
        "table",
        "--root",
        texts,
        "--limit",
        "12",
        "--corruption",
        "text/typo",
        "--severity",
        "3",
    ]
    model = f"{folders['text']}:labels=calm+glad+low+low"
    done = merbench("eval", "--model", model, *data, "--out", tmp_path / "run", "--json")
    assert done.code == 0, done
    assert "Loading" not in done.err
    assert json.loads(done.out)["model"]["uses"] == ["text"]


def test_what_cannot_be_loaded_is_one_line_on_the_command_line(merbench, copy, texts, tmp_path):
    data = ["--dataset", "table", "--root", texts, "--limit", "4", "--out", tmp_path / "run"]
    merbench("eval", "--model", "nobody/no-such-model", *data).refused("nobody/no-such-model", "hf download")
    merbench("eval", "--model", copy("text"), *data, "--device", "cuda:7").refused("--device cuda:7", "cpu")
    merbench("eval", "--model", "mean(majority; nobody/none)", *data).refused("nobody/none", "hf download")
    (tmp_path / "text" / "model.safetensors").write_bytes(b"nonsense")
    damaged = f"{tmp_path / 'text'}:labels=calm+glad+low+low"
    merbench("eval", "--model", damaged, *data).refused("the weights of 'text'", "cannot be loaded")
