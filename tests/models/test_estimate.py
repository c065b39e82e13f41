"""Estimates: what is counted on `meta` is what happens, and nothing in it is a figure from elsewhere."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from merbench.models._emotion_llama.config import SOURCES, load_config
from merbench.models._emotion_llama.estimate import (
    ADAMW,
    CONTEXT,
    IEMOCAP,
    Work,
    estimate,
    leave_one_out,
    shapes,
    train_step,
)
from merbench.models._emotion_llama.network import EmotionLlama

WORK = Work(test=100, train=400, epochs=3)


@pytest.fixture(scope="module")
def small():
    return estimate(load_config("small"), WORK)


@pytest.fixture(scope="module")
def tiny():
    return estimate(load_config("tiny"), WORK, precision="float32", checkpointing=False)


class TestMemory:
    def test_of_the_weights_is_the_sum_over_the_network(self, small):
        network = shapes(load_config("small"), torch.bfloat16)
        held = {n: p.numel() * p.element_size() for n, p in network.named_parameters()}
        learning = {n for n, p in network.named_parameters() if p.requires_grad}
        assert small.memory["weights"] == sum(size for name, size in held.items() if name not in learning)
        assert small.trained == sum(held[name] for name in learning) // 2
        assert small.memory["trained weights, gradients, AdamW"] == ADAMW * small.trained

    def test_of_the_weights_alone_where_nothing_learns(self):
        found = estimate(load_config("tiny"), Work(test=10), precision="float32")
        network = EmotionLlama(load_config("tiny"))
        assert found.memory["weights"] == sum(p.numel() * p.element_size() for p in network.parameters())
        assert found.memory.keys() == {"weights", "activations", "KV cache", "CUDA context"}
        assert found.memory["CUDA context"] == CONTEXT

    def test_names_every_part(self, small):
        assert small.parameters.keys() == {*SOURCES, "projections"} - {"face_encoder", "video_encoder"}

    def test_of_activations_is_less_with_checkpointing(self, tiny):
        forgotten = estimate(load_config("tiny"), WORK, precision="float32", checkpointing=True)
        assert forgotten.memory["activations"] < 0.8 * tiny.memory["activations"]
        assert forgotten.operations["train"] > 1.2 * tiny.operations["train"]

    def test_of_activations_grows_with_the_rows(self, tiny):
        work = dataclasses.replace(WORK, rows=64)
        more = estimate(load_config("tiny"), work, precision="float32", checkpointing=False)
        assert more.memory["activations"] == pytest.approx(16 * tiny.memory["activations"], rel=0.25)
        assert more.memory["KV cache"] == 16 * tiny.memory["KV cache"]

    def test_of_the_cache_follows_the_language_model(self, small):
        settings = load_config("small").llama_model.settings
        head = settings["hidden_size"] // settings["num_attention_heads"]
        numbers = 2 * settings["num_hidden_layers"] * settings["num_key_value_heads"] * head
        assert small.memory["KV cache"] == 2 * numbers * WORK.rows * (small.tokens + WORK.answer_tokens)


class TestOperations:
    def test_are_those_of_a_real_step(self, tiny):
        network = EmotionLlama(load_config("tiny"))
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(not name.startswith(tuple(SOURCES)) or ".lora_" in name)
        # The counter knows no fused attention of the CPU, which is the same arithmetic.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:
            loss = train_step(network, WORK, checkpointing=False)
        assert loss > 0
        assert counted.get_total_flops() / WORK.rows == tiny.operations["train"]

    def test_of_reading_are_two_for_each_weight_and_token(self, small):
        """Kaplan et al. 2020: about 2 N operations per token, attention and embeddings aside."""
        settings = load_config("small").llama_model.settings
        embeddings = 2 * settings["vocab_size"] * settings["hidden_size"]
        read = 2 * (small.parameters["llama_model"] - embeddings) * (small.tokens + WORK.answer_tokens)
        assert read < small.operations["answer"] < 1.15 * read

    def test_of_learning_lora_are_two_to_three_times_those_of_reading(self, small):
        assert 2 < small.operations["train"] / small.operations["answer"] < 3.5

    def test_become_hours(self, small):
        hours = small.hours(1e12)
        assert hours["encode"] == pytest.approx(500 * small.operations["encode"] / 1e12 / 3600)
        assert hours["train"] == pytest.approx(400 * 3 * small.operations["train"] / 1e12 / 3600)
        assert small.hours(2e12)["train"] == hours["train"] / 2

    def test_of_a_test_alone_have_no_training(self):
        assert estimate(load_config("tiny"), Work(test=5)).hours(1e12).keys() == {"encode", "answer"}


class TestOneStep:
    def test_at_full_shape_has_the_gradients_of_what_learns_and_no_others(self):
        network = shapes(load_config("small"), torch.bfloat16)
        with torch.device("meta"):
            train_step(network, WORK, checkpointing=True)
        for name, parameter in network.named_parameters():
            learns = ".lora_" in name or name.partition(".")[0] in (
                "llama_proj",
                "cls_tk_llama_proj",
                "feats_llama_proj3",
            )
            assert (parameter.grad is not None) == learns, name

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="one step at full shape needs a CUDA device")
    def test_at_full_shape_fits_where_the_estimate_says(self, small):
        torch.cuda.reset_peak_memory_stats()
        with torch.device("cuda"):
            network = EmotionLlama(load_config("small")).to(torch.bfloat16)
            for name, parameter in network.named_parameters():
                parameter.requires_grad_(not name.startswith(tuple(SOURCES)) or ".lora_" in name)
            assert train_step(network, WORK, checkpointing=True) > 0
        assert torch.cuda.max_memory_allocated() < small.bytes


class TestTheCommand:
    def test_small_fits_24_gb_and_says_hours_per_fold(self, merbench):
        outcome = merbench(
            "model",
            "estimate",
            "emollama",
            "--size",
            "small",
            "--dataset",
            "iemocap",
            "--train",
            "--memory",
            24,
        )
        assert outcome.code == 0
        assert "fits into 24 GB" in outcome.out
        assert "5 folds, one session of 1023-1241 utterances tested in each" in outcome.out

    def test_ends_with_1_where_it_does_not_fit(self, merbench):
        outcome = merbench(
            "model", "estimate", "emollama", "--size", "tiny", "--utterances", 834, "--memory", 0.5
        )
        assert outcome.code == 1
        assert "DOES NOT FIT into 0.5 GB" in outcome.out

    @pytest.mark.slow
    def test_7b_needs_more_than_16_and_less_than_24_gb(self, merbench):
        say = ("model", "estimate", "emollama", "--size", "7b", "--utterances", 834, "--memory")
        assert merbench(*say, 16).code == 1
        assert merbench(*say, 24).code == 0

    def test_gives_plain_values(self, merbench):
        outcome = merbench(
            "model", "estimate", "emollama", "--size", "tiny", "--utterances", 10, "--tflops", 2, "--json"
        )
        found = json.loads(outcome.out)
        assert found["operations_per_second"] == 2e12
        assert found["fits"] is None
        assert found["total_bytes"] == sum(found["memory_bytes"].values())

    def test_refuses_bad_input(self, merbench):
        say = ("model", "estimate", "emollama", "--size", "tiny")
        merbench(*say).refused("how much is there to do", "--utterances")
        merbench(*say, "--dataset", "meld").refused("meld", "--utterances")
        merbench(*say, "--utterances", 3, "--precision", "int8").refused("int8", "bfloat16")


def test_folds_of_iemocap_are_its_sessions():
    folds = leave_one_out(IEMOCAP, Work(test=0), train=True)
    assert sum(IEMOCAP) == 5531
    assert [fold.test for fold in folds] == list(IEMOCAP)
    assert {fold.test + fold.train for fold in folds} == {5531}
