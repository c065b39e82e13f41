"""Our attacks beside foolbox's and torchattacks': the same network, the same pictures, the same budget.

    python -m venv peers && peers/bin/pip install -c constraints.txt -e .
    peers/bin/pip install --no-deps foolbox==3.3.4 eagerpy torchattacks==3.5.1
    OMP_NUM_THREADS=1 peers/bin/python -P benchmarks/attacks.py [--levels 0.5 1]

A small convolutional network is trained on faces of the synthetic set and then attacked. Prints, for every
attack and budget, the accuracy that each library leaves on the same pictures (less is a stronger attack) and
the processor time of one step, of a batch of 100, with all that comes before and after the steps. Rows that
are wrong already count as wrong and are given to nobody (torchattacks' APGD leaves them out by itself). Peers
work on floats, and so do we here: nothing is rounded or written.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from merbench.attacks._ball import Ball, Norm
from merbench.attacks._loop import Losses, Point, Space, Steepest, Walk, climb
from merbench.attacks.apgd import AutoPgd
from merbench.datasets import load_dataset
from merbench.rng import Stream, torch_seed
from merbench.types import MediaSpec

BATCH = 100
STEPS = 20
REACH = 2.5  # all steps together, in radii
LIBRARIES = ("merbench", "foolbox", "torchattacks")
Attack = Callable[[Tensor, Tensor], Tensor]


def pictures(split: str, count: int, side: int) -> tuple[Tensor, Tensor]:
    """Return faces [N, 3, side, side] in 0..1 from the middle of clips, and their classes [N]."""
    data = load_dataset(f"synthetic:{split}={count}", media=MediaSpec(frames=2, frame_size=side))
    chosen, _ = data.select(split)
    rows = [np.asarray(data.load(u).frames)[1] for u in chosen]
    found = torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 255
    return found.contiguous(), torch.tensor([data.labels.index(u.label) for u in chosen])


def trained(inputs: Tensor, labels: Tensor, epochs: int) -> nn.Module:
    """Return a small network trained on these pictures."""
    torch.manual_seed(torch_seed("benchmarks", "attacks"))
    blocks: list[nn.Module] = []
    for into, out in ((3, 16), (16, 32), (32, 64)):
        blocks += [nn.Conv2d(into, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(), nn.MaxPool2d(2)]
    network = nn.Sequential(*blocks, nn.Flatten(), nn.LazyLinear(64), nn.ReLU(), nn.Linear(64, 6))
    network(inputs[:2])
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.01)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(64):
            optimizer.zero_grad()
            F.cross_entropy(network(inputs[rows]), labels[rows]).backward()
            optimizer.step()
    return network.eval()


def ours(
    network: nn.Module, radius: float, norm: Norm, make: Callable[[Space, list[Stream]], Walk]
) -> Attack:
    """Return one of our walks as a function from pictures and labels to attacked pictures."""

    def attack(inputs: Tensor, labels: Tensor) -> Tensor:
        def objective(point: Point) -> Losses:
            logits = network(point["vision"].reshape(inputs.shape))
            own = logits.gather(1, labels[:, None])[:, 0]
            other = logits.scatter(1, labels[:, None], -torch.inf).amax(dim=1)
            return Losses(F.cross_entropy(logits, labels, reduction="none"), (other - own).detach())

        ball = Ball(inputs.flatten(1), torch.full((len(inputs), 1), radius), norm, 0.0, 1.0)
        rngs = [Stream.of("benchmark", str(i)) for i in range(len(inputs))]
        return climb(objective, make({"vision": ball}, rngs)).point["vision"].reshape(inputs.shape)

    return attack


def of_foolbox(network: nn.Module, radius: float, name: str, **settings: object) -> Attack:
    """Return an attack of foolbox."""
    import foolbox

    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    made = getattr(foolbox.attacks, name)(**settings)
    return lambda inputs, labels: made(model, inputs, labels, epsilons=radius)[1]


def of_torchattacks(network: nn.Module, name: str, **settings: object) -> Attack:
    """Return an attack of torchattacks."""
    import torchattacks

    made = getattr(torchattacks, name)(network, **settings)
    return lambda inputs, labels: made(inputs, labels).detach()


def measured(network: nn.Module, attack: Attack, inputs: Tensor, labels: Tensor) -> tuple[int, float]:
    """Return how many rows stay right, and the processor seconds that the attack took."""
    attack(inputs[:BATCH], labels[:BATCH])  # whoever comes first would pay for warming up
    right, seconds = 0, 0.0
    for rows in torch.arange(len(inputs)).split(BATCH):
        started = time.process_time()
        attacked = attack(inputs[rows], labels[rows])
        seconds += time.process_time() - started
        with torch.no_grad():
            right += int((network(attacked).argmax(dim=1) == labels[rows]).sum())
    return right, seconds


def line_up(network: nn.Module, levels: float, side: int) -> dict[str, tuple[int, dict[str, Attack]]]:
    """Return every attack with its number of steps and each library's own of it."""
    radius, length = levels / 255, REACH / STEPS
    wide = radius * (3 * side * side) ** 0.5 / 4  # a quarter of the ball that holds the linf ball
    return {
        "fgsm linf": (
            1,
            {
                "merbench": ours(network, radius, "linf", lambda space, _: Steepest(space, 1, 1.0)),
                "foolbox": of_foolbox(network, radius, "LinfFastGradientAttack"),
                "torchattacks": of_torchattacks(network, "FGSM", eps=radius),
            },
        ),
        "pgd linf": (
            STEPS,
            {
                "merbench": ours(network, radius, "linf", lambda s, rngs: Steepest(s, STEPS, length, rngs)),
                "foolbox": of_foolbox(network, radius, "LinfPGD", rel_stepsize=length, steps=STEPS),
                "torchattacks": of_torchattacks(
                    network, "PGD", eps=radius, alpha=radius * length, steps=STEPS
                ),
            },
        ),
        "pgd l2": (
            STEPS,
            {
                "merbench": ours(network, wide, "l2", lambda s, rngs: Steepest(s, STEPS, length, rngs)),
                "foolbox": of_foolbox(network, wide, "L2PGD", rel_stepsize=length, steps=STEPS),
                "torchattacks": of_torchattacks(network, "PGDL2", eps=wide, alpha=wide * length, steps=STEPS),
            },
        ),
        "apgd-ce linf": (
            STEPS,
            {
                "merbench": ours(network, radius, "linf", lambda s, rngs: AutoPgd(s, STEPS, rngs)),
                "torchattacks": of_torchattacks(network, "APGD", eps=radius, steps=STEPS),
            },
        ),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--levels", type=float, nargs="+", default=[0.5, 1.0], help="budgets, of 255")
    parser.add_argument("--epochs", type=int, default=15)
    said = parser.parse_args()
    torch.set_num_threads(1)
    network = trained(*pictures("train", 2000, said.side), said.epochs)
    inputs, labels = pictures("test", said.samples, said.side)
    with torch.no_grad():
        right = network(inputs).argmax(dim=1) == labels
    clean, count = float(right.float().mean()), len(inputs)
    inputs, labels = inputs[right], labels[right]
    print(f"{count} pictures of {said.side} x {said.side}, clean accuracy {clean:.3f}")
    print(f"{'attack':14}{'budget':>8}  " + "".join(f"{name:>24}" for name in LIBRARIES))
    for levels in said.levels:
        for name, (steps, libraries) in line_up(network, levels, said.side).items():
            cells = []
            for library in LIBRARIES:
                if library not in libraries:
                    cells.append(f"{'-':>24}")
                    continue
                left, seconds = measured(network, libraries[library], inputs, labels)
                per_step = 1000 * seconds / steps / (len(inputs) / BATCH)
                cells.append(f"{left / count:>11.3f} {per_step:>6.0f} ms/step")
            print(f"{name:14}{levels:>4g}/255  " + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
