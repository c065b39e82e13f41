"""The recovery model by itself: what its latents keep, what it recovers, and what it may not read."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from merbench.errors import MerbenchError
from merbench.models._emotion_llama.recovery import EXPECTED, STEPS, TASKS, Design, Latent, Recovery
from merbench.rng import Stream
from merbench.types import MODALITIES

SIZES = {"audio": 8, "vision": 20, "text": 12}


def normal(what: str, *shape: int) -> torch.Tensor:
    return torch.from_numpy(Stream.of("tests/recovery", what).normal(math.prod(shape))).float().view(shape)


def world(rows: int, which: str) -> dict[str, torch.Tensor]:
    """Sound is anything; pictures are linear in it with little noise, text with more."""
    audio = normal(f"audio {which}", rows, 8)
    return {
        "audio": audio,
        "vision": audio @ normal("pictures", 8, 20) + 0.2 * normal(f"vision {which}", rows, 20),
        "text": audio @ normal("words", 8, 12) + normal(f"text {which}", rows, 12),
    }


def given_only(task, rows: int) -> torch.Tensor:
    return torch.tensor([[m in task.given for m in MODALITIES]]).expand(rows, -1)


@pytest.fixture(scope="module")
def recovery() -> Recovery:
    """Trained for two or three seconds."""
    torch.manual_seed(0)
    network = Recovery(SIZES, Design(components=8, width=64))
    rows = world(800, "train")
    network.survey(rows)
    latents = network.encode(rows)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for step in range(500):
        some = latents[torch.randperm(len(latents))[:32]].repeat_interleave(len(TASKS), dim=0)
        angles = torch.rand(len(some)) * math.pi / 2
        loss = network.loss(some, TASKS * 32, angles, torch.randn(len(some), 8))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / 500)
    return network.eval()


@pytest.fixture(scope="module")
def unseen() -> dict[str, torch.Tensor]:
    return world(200, "test")


class TestLatent:
    @given(scale=st.floats(0.01, 100), shift=st.floats(-10, 10), size=st.integers(3, 12))
    def test_training_latents_have_mean_zero_and_variance_one(self, scale, shift, size):
        rows = normal(f"latent {size}", 60, size) * scale + shift * scale
        latent = Latent(size, 3)
        latent.survey(rows)
        z = latent.encode(rows)
        assert torch.allclose(z.mean(dim=0), torch.zeros(3), atol=1e-3)
        assert torch.allclose(z.var(dim=0, unbiased=False), torch.ones(3), atol=1e-3)

    @given(size=st.integers(2, 12), rows=st.integers(20, 50))
    def test_nothing_is_lost_with_as_many_components_as_directions(self, size, rows):
        encodings = normal(f"whole {size}", rows, size)
        latent = Latent(size, size)
        latent.survey(encodings)
        assert torch.allclose(latent.decode(latent.encode(encodings)), encodings, atol=1e-3)

    def test_zero_is_the_mean(self):
        latent = Latent(5, 2)
        encodings = normal("mean", 40, 5) + 3
        latent.survey(encodings)
        assert torch.allclose(latent.decode(torch.zeros(1, 2))[0], encodings.mean(dim=0), atol=1e-5)

    @pytest.mark.parametrize("rows", [1, 4])
    def test_more_components_than_directions_are_refused(self, rows):
        with pytest.raises(MerbenchError, match="too few for 4 components"):
            Latent(6, 4).survey(normal("few", rows, 6))

    def test_constant_encodings_are_refused(self):
        with pytest.raises(MerbenchError, match="0 directions"):
            Latent(6, 1).survey(torch.ones(30, 6))


class TestRecovery:
    @pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.target} from {'+'.join(task.given)}")
    @torch.no_grad()
    def test_it_is_closer_than_the_mean(self, recovery, unseen, task):
        truth = unseen[task.target]
        found = recovery.recover(task.target, unseen, given_only(task, len(truth)))
        error = (found - truth).square().mean()
        assert error < 0.85 * (recovery.mean(task.target) - truth).square().mean()

    @torch.no_grad()
    def test_what_is_nearly_a_function_of_the_others_is_nearly_found(self, recovery, unseen):
        present = torch.tensor([[False, True, False]]).expand(200, -1)
        found = recovery.recover("audio", unseen, present)
        assert (found - unseen["audio"]).square().mean() < 0.15  # of a variance of 1

    @torch.no_grad()
    def test_one_step_gives_the_mean_of_what_many_steps_may_give(self, recovery, unseen):
        present = torch.tensor([[False, False, True]]).expand(200, -1)

        def found(seed, steps):
            other = Recovery(SIZES, dataclasses.replace(recovery.design, seed=seed))
            other.load_state_dict(recovery.state_dict())
            return other.eval().recover("vision", unseen, present, steps=steps)

        one = found(0, EXPECTED)
        many = torch.stack([found(seed, STEPS) for seed in range(16)])
        mean = many.mean(dim=0)
        assert (one - mean).square().mean() < 0.5 * (many - mean).square().mean()
        assert (one - unseen["vision"]).square().mean() < (many[0] - unseen["vision"]).square().mean()

    @torch.no_grad()
    def test_a_row_alone_gets_what_it_gets_among_others(self, recovery, unseen):
        present = torch.tensor([[True, False, bool(i % 2)] for i in range(200)])
        together = recovery.recover("vision", unseen, present)
        for i in (0, 1, 77):
            alone = recovery.recover(
                "vision", {m: e[i : i + 1] for m, e in unseen.items()}, present[i : i + 1]
            )
            assert torch.allclose(alone[0], together[i], atol=1e-4)

    @torch.no_grad()
    def test_it_says_the_same_again_whatever_else_was_drawn(self, recovery, unseen):
        present = torch.tensor([[True, False, True]]).expand(200, -1)
        before = recovery.recover("vision", unseen, present)
        torch.manual_seed(7)
        torch.randn(10)
        assert torch.equal(before, recovery.recover("vision", unseen, present))

    @torch.no_grad()
    def test_another_seed_starts_elsewhere(self, recovery, unseen):
        other = Recovery(SIZES, dataclasses.replace(recovery.design, seed=1))
        other.load_state_dict(recovery.state_dict())
        present = torch.tensor([[False, False, True]]).expand(200, -1)
        one, two = (net.eval().recover("audio", unseen, present) for net in (recovery, other))
        assert not torch.allclose(one, two, atol=0.1)

    @torch.no_grad()
    def test_what_is_absent_is_not_read_and_neither_is_the_target(self, recovery, unseen):
        present = torch.tensor([[True, True, False]]).expand(200, -1)
        lost = {
            **unseen,
            "vision": torch.full((200, 20), torch.nan),
            "text": torch.full((200, 12), torch.nan),
        }
        assert torch.equal(
            recovery.recover("vision", lost, present), recovery.recover("vision", unseen, present)
        )

    def test_the_denoiser_learns_from_no_more_than_a_task_gives(self, recovery):
        latents = recovery.encode(world(9, "train"))
        angles, noise = torch.full((9,), 0.7), normal("noise", 9, 8)
        changed = latents.clone()
        for row, task in enumerate(TASKS):
            for place, modality in enumerate(MODALITIES):
                if modality != task.target and modality not in task.given:
                    changed[row, place] = 99.0
        assert torch.equal(
            recovery.loss(latents, TASKS, angles, noise), recovery.loss(changed, TASKS, angles, noise)
        )

    def test_every_way_of_lacking_something_is_a_task(self):
        asked = {(task.target, task.given) for task in TASKS}
        assert len(asked) == len(TASKS) == 9
        assert all(task.target not in task.given and task.given for task in TASKS)

    def test_gradients_reach_what_is_given(self, recovery, unseen):
        rows = {m: e[:4].clone().requires_grad_() for m, e in unseen.items()}
        recovery.recover("text", rows, torch.tensor([[True, False, False]] * 4)).sum().backward()
        assert rows["audio"].grad.abs().sum() > 0
        assert not np.any(rows["vision"].grad.numpy())
