"""Training on attacked rows: who is attacked, how far, and what noise-aware training asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from merbench.attacks import parse_attack
from merbench.errors import MerbenchError
from merbench.rng import Stream
from merbench.training import Attackable, Outputs, Row
from merbench.training.hardening import Hardened, hardened
from merbench.training.recipe import Adversarial, NoiseAware
from merbench.types import Batch, Packed

LABELS = ("calm", "glad", "low")
PARTS, LENGTH, SIDE = 8, 160, 6


@dataclass(eq=False)
class Meters(Attackable):
    """Reads the mean of each part of a sound and of each row of a picture, linearly."""

    @cached_property
    def network(self):
        encoder = torch.nn.Linear(PARTS + SIDE, 5)
        return torch.nn.ModuleDict({"encoder": encoder, "head": torch.nn.Linear(5, len(self.labels))})

    @property
    def representation_size(self):
        return 5

    def prepare(self, batch, utterances):
        raise NotImplementedError

    def save(self, folder, record):
        raise NotImplementedError

    def _representation(self, inputs):
        rows = []
        for sound, clip in inputs:
            heard = torch.as_tensor(sound).float().reshape(PARTS, -1).mean(dim=1) / 1000
            seen = torch.as_tensor(clip).float().mean(dim=(0, 2, 3)) / 10
            rows.append(torch.cat([heard, seen]))
        return self.network["encoder"](torch.stack(rows))

    def logits(self, inputs):
        return self.network["head"](self._representation(inputs))

    def outputs(self, rows):
        representation = self._representation([row.inputs for row in rows])
        logits = self.network["head"](representation)
        loss = F.cross_entropy(logits, torch.tensor([row.label for row in rows]))
        return Outputs(loss, logits, representation)

    def loss(self, rows):
        self.shown = [row.inputs for row in rows]
        return self.outputs(rows).loss

    def media(self, inputs):
        n = len(inputs)
        return Batch(
            audio=Packed.of([sound for sound, _ in inputs], np.int16),
            sample_rates=(16_000,) * n,
            frames=Packed.of([clip for _, clip in inputs], np.uint8),
            timestamps=(None,) * n,
            text=(None,) * n,
        )

    def with_media(self, inputs, media):
        return list(zip(media.audio, media.frames, strict=True))

    def survey(self, inputs):
        self.surveyed = inputs()


def value(loss):
    return float(loss.detach())


def rows_of(n, *, noisy=()):
    rng = Stream.of("hardening rows")
    made = []
    for i in range(n):
        inputs, clean = (
            (
                rng.integers(LENGTH, -9000, 9000).astype(np.int16),
                rng.integers(2 * SIDE * SIDE * 3, 20, 230).astype(np.uint8).reshape(2, SIDE, SIDE, 3),
            )
            for _ in range(2)
        )
        chance = Stream.of("chance", str(i))
        made.append(Row(inputs, i % 3, chance, i in noisy, clean if i in noisy else None))
    return made


def made(adversarial=None, noise_aware=None):
    torch.manual_seed(0)
    base = Meters(LABELS)
    model = Hardened(LABELS, base, adversarial or Adversarial(attack="pgd", steps=3, share=1.0), noise_aware)
    model.network.train()
    return model, base


@pytest.mark.parametrize("settings", [{"attack": "fgsm"}, {"attack": "pgd", "steps": 3}])
def test_attacked_rows_are_harder_and_within_the_budget(settings):
    model, base = made(Adversarial(share=1.0, severity=4, **settings))
    rows = rows_of(12)
    hard = model.loss(rows)
    assert value(hard) > value(base.outputs(rows).loss) + 0.01
    budget = parse_attack(settings["attack"]).budget(4)
    for row, (sound, clip) in zip(rows, base.shown, strict=True):
        for modality, clean, shown in (("audio", row.inputs[0], sound), ("vision", row.inputs[1], clip)):
            moved = np.abs(shown.detach().numpy() - clean.astype(np.float32)).max()
            assert 0 < moved <= budget.radius(modality, clean, "linf")


def test_only_the_modalities_asked_for_move():
    model, base = made(Adversarial(attack="fgsm", share=1.0, modalities=("audio",)))
    rows = rows_of(4)
    model.loss(rows)
    for row, (sound, clip) in zip(rows, base.shown, strict=True):
        assert np.array_equal(clip.numpy(), row.inputs[1])
        assert not np.array_equal(sound.numpy(), row.inputs[0])


def test_a_share_of_the_rows_without_noise_is_attacked_and_none_with():
    model, _ = made(Adversarial(attack="fgsm", share=0.5))
    noisy = frozenset(range(0, 400, 2))
    rows = rows_of(400, noisy=noisy)
    shown, attacked = model._attack(rows)
    assert 70 < sum(attacked) < 130
    for i, (row, other) in enumerate(zip(rows, shown, strict=True)):
        assert not (attacked[i] and i in noisy)
        assert (other is row) != attacked[i]


def test_a_row_of_which_nothing_can_be_moved_is_not_attacked():
    model, _ = made(Adversarial(attack="fgsm", share=1.0, modalities=("audio",)))
    rows = rows_of(3)
    sound, clip = rows[1].inputs
    rows[1] = rows[1]._replace(inputs=(np.zeros_like(sound), clip))
    shown, attacked = model._attack(rows)
    assert attacked == [True, False, True]
    assert shown[1] is rows[1]


def test_an_attack_depends_on_the_row_and_not_on_its_company():
    model, _ = made()
    rows = rows_of(6)
    together, _ = model._attack(rows)
    (alone,), _ = model._attack(rows[3:4])
    for mine, other in zip(together[3].inputs, alone.inputs, strict=True):
        assert torch.equal(mine, other)


def test_the_network_learns_and_its_attacker_leaves_no_gradient_behind():
    model, _ = made()
    model.loss(rows_of(6)).backward()
    gradients = [p.grad for p in model.network.parameters()]
    assert all(g is not None and bool(g.isfinite().all()) for g in gradients)
    assert model.network.training


def test_the_discriminator_learns_what_the_encoder_unlearns():
    model, base = made(
        Adversarial(attack="pgd", steps=2, share=1.0), NoiseAware(discriminator=1.0, consistency=0.0)
    )
    rows = rows_of(8, noisy=range(4))
    shown, attacked = model._attack(rows)
    natural = torch.tensor([row.noisy for row in rows])
    outputs = base.outputs(shown)
    told = model._told_apart(outputs, natural, torch.tensor(attacked))
    told.backward()
    learnt = {name: p.grad.clone() for name, p in model.network.named_parameters() if p.grad is not None}
    # By hand, without the reversal: the same for the discriminator, the opposite for the encoder.
    model.network.zero_grad()
    guess = model.network["discriminator"](base.outputs(shown).representation)[:, 0]
    F.binary_cross_entropy_with_logits(guess, (~natural).float()).backward()
    for name, p in model.network.named_parameters():
        if "head" not in name:
            sign = 1 if name.startswith("discriminator") else -1
            torch.testing.assert_close(learnt[name], sign * p.grad)


def test_one_kind_of_noise_alone_teaches_the_discriminator_nothing():
    model, base = made(noise_aware=NoiseAware(discriminator=1.0, consistency=0.0))
    rows = rows_of(4)
    model.loss(rows)
    plain, _ = made()
    assert value(model.loss(rows)) == pytest.approx(value(plain.loss(rows)))
    assert base.network is model.network["model"]


def test_answers_that_stay_the_same_cost_nothing_and_others_do():
    settings = Adversarial(attack="fgsm", share=1.0)
    model, base = made(settings, NoiseAware(discriminator=0.0, consistency=1.0))
    rows = [row._replace(clean=row.inputs) for row in rows_of(4, noisy=range(4))]
    assert value(model.loss(rows)) == pytest.approx(value(base.outputs(rows).loss), abs=1e-6)
    different = rows_of(4, noisy=range(4))
    plain = value(base.outputs(different).loss)
    clean = F.softmax(base.logits([row.clean for row in different]), dim=1)
    noisy = F.log_softmax(base.logits([row.inputs for row in different]), dim=1)
    apart = value((clean * (clean.log() - noisy)).sum(dim=1).mean())
    assert value(model.loss(different)) == pytest.approx(plain + apart, rel=1e-5)
    assert apart > 0


def test_a_network_takes_its_statistics_though_it_is_hardened():
    model, base = made()
    model.survey(lambda: ["row"])
    assert base.surveyed == ["row"]


def test_what_cannot_be_attacked_is_refused(workshop):
    recipe = workshop.recipe(more='[adversarial]\nattack = "fgsm"')
    with pytest.raises(MerbenchError, match="cannot be attacked in training"):
        workshop.train(recipe)


def test_without_attacks_the_network_is_trained_as_it_is(workshop):
    base = Meters(LABELS)
    assert hardened(base, workshop.recipe()) is base
