"""What stands beside the answer's tokens in the loss of a network that is made from nothing."""

from __future__ import annotations

import pytest
import torch

from merbench.datasets import load_dataset
from merbench.datasets._synthetic.cues import LABELS
from merbench.rng import Stream
from merbench.training import Row
from merbench.training.emotion_llama import TrainableEmotionLlama
from merbench.types import Batch

PLAIN = {"modality_dropout": 0.0, "vary": False}


@pytest.fixture(scope="module")
def samples():
    dataset = load_dataset("synthetic:train=12,validation=6,test=6")
    return [dataset.load(u) for u in dataset.utterances()[:3]]


def trainable(**options):
    torch.manual_seed(0)
    model = TrainableEmotionLlama(labels=LABELS, **PLAIN, **options)
    model.network.eval()
    return model


def rows_of(model, samples):
    inputs = model.prepare(Batch.of(samples), [s.utterance for s in samples])
    return [Row(i, LABELS.index(i.label), Stream.of("row", str(n))) for n, i in enumerate(inputs)]


def touched(model, loss):
    """Return which parts of the network a loss gives a gradient to."""
    model.network.zero_grad()
    loss.backward()
    moved = [n for n, p in model.network.named_parameters() if p.grad is not None and bool(p.grad.any())]
    return {name.partition(".")[0] for name in moved}


def losses(samples, **options):
    model = trainable(**options)
    with torch.no_grad():
        return float(model.loss(rows_of(model, samples)))


def test_without_any_it_is_the_loss_of_the_answers_tokens(samples):
    model = trainable()
    rows = rows_of(model, samples)
    with torch.no_grad():
        encodings, present = model._encodings([row.inputs for row in rows])
        context = model.network.fuse(encodings, present, model.prompt, LABELS)
        expected = model.network.loss(context, [row.inputs.label for row in rows])
        assert float(model.loss(rows)) == pytest.approx(float(expected), abs=1e-5)


def test_the_choice_among_six_labels_is_near_chance_before_training(samples):
    assert losses(samples, choice=1.0) == pytest.approx(1.79, abs=0.3)
    spoken, chosen = losses(samples, choice=1e-9), losses(samples, choice=1.0)
    assert losses(samples, choice=0.5) == pytest.approx((spoken + chosen) / 2, rel=1e-4)


def test_what_is_read_in_tokens_teaches_every_encoder_and_leaves_the_layers_alone(samples):
    model = trainable(auxiliary=1.0)
    parts = touched(model, model._auxiliary(model._read(rows_of(model, samples))))
    assert parts >= {"audio_encoder", "visual_encoder", "face_encoder", "video_encoder", "llama_model"}
    moved = {n for n, p in model.network.named_parameters() if p.grad is not None and bool(p.grad.any())}
    assert not any(".layers." in name for name in moved if name.startswith("llama_model"))


def test_what_is_read_in_tokens_of_a_missing_modality_does_not_count(samples):
    model = trainable(auxiliary=1.0)
    rows = rows_of(model, samples)

    def with_only(*modalities):
        kept = [{m: x for m, x in row.inputs.media.items() if m in modalities} for row in rows]
        return model._read(
            [r._replace(inputs=r.inputs._replace(media=m)) for r, m in zip(rows, kept, strict=True)]
        )

    assert "audio_encoder" not in touched(model, model._auxiliary(with_only("vision", "text")))
    assert float(model._auxiliary(with_only("text"))) == 0


def test_the_words_alone_reach_the_language_model_and_no_encoder(samples):
    model = trainable(words_alone=1.0)
    encodings, present = model._encodings([row.inputs for row in rows_of(model, samples)])
    loss = model._words_alone(encodings["text"], present["text"], torch.tensor([0, 1, 2]))
    assert touched(model, loss) == {"llama_model", "absent"}


def test_weights_add_up(samples):
    plain = losses(samples, choice=0.9)
    torch.manual_seed(1)
    words = losses(samples, choice=0.9, words_alone=0.5)
    more = losses(samples, choice=0.9, words_alone=1.0)
    assert more - words == pytest.approx(words - plain, rel=1e-3)
