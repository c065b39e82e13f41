"""A recipe and data that train in a second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from merbench.training.recipe import load_recipe
from merbench.training.run import plan_training, train

if TYPE_CHECKING:
    from collections.abc import Callable

    from merbench.training.recipe import Recipe

WORDS = f"{Path(__file__).with_name('dummy.py')}:Words"

RECIPE = """
about = "a bag of letters"

[model]
name = "{model}"
{options}

[data]
dataset = "table"
train = {train}
validation = {validation}
test = {test}
{data}

[stage.coarse]
epochs = 3
learning_rate = 0.02
{coarse}

[stage.fine]
epochs = 2
learning_rate = 0.01
parameters = ["head"]
{fine}

[training]
batch_size = {batch}
save_steps = 2
{training}

{more}
"""


@dataclass(frozen=True)
class Workshop:
    """Writes recipes for the model of `dummy.py` and follows them."""

    folder: Path
    table: Path

    def path(self, model: str = WORDS, **lines: str) -> Path:
        """Return a TOML file: the recipe with further lines in its tables."""
        tables = {
            **dict.fromkeys(("options", "data", "coarse", "fine", "training", "more"), ""),
            **{"train": '"test"', "validation": "0.3", "test": "[]", "batch": "16"},
        }
        path = self.folder / "recipe.toml"
        path.write_text(RECIPE.format(**{**tables, **lines}, model=model), encoding="utf-8")
        return path

    def recipe(self, **lines: str) -> Recipe:
        return load_recipe(str(self.path(**lines)))

    def train(self, recipe: Recipe, out: str = "out", **how: Any) -> dict[str, Any]:
        job = plan_training(recipe, root=self.table)
        return train(job, self.folder / out, **{"device": "cpu", "workers": 1, **how})

    def weights(self, out: str = "out") -> dict[str, Any]:
        import torch

        found: dict[str, Any] = torch.load(self.folder / out / "weights.pt", weights_only=True)
        return found


@pytest.fixture(scope="session")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 120 texts by nine speakers, whose class shows in their letters."""
    rows = ["id,text,label,speaker"]
    texts = {"calm": "slow sea calm sleep", "glad": "good gold jig dog", "low": "wet rut murk turn"}
    for i in range(120):
        label = list(texts)[i % 3]
        words = [*texts[label].split(), "the", "tin", "man", "ran", "on"]
        text = " ".join(words[(i * 7 + k * (i % 4 + 1)) % len(words)] for k in range(4))
        rows.append(f"t{i:03d},{text},{label},s{i // 3 % 9}")
    path = tmp_path_factory.mktemp("letters") / "letters.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def workshop(tmp_path: Path, letters: Path) -> Workshop:
    return Workshop(tmp_path, letters)


@pytest.fixture
def same() -> Callable[[dict[str, Any], dict[str, Any]], bool]:
    """Tell whether two networks have the same weights, bit for bit."""

    def compare(a: dict[str, Any], b: dict[str, Any]) -> bool:
        return a.keys() == b.keys() and all(a[k].equal(b[k]) for k in a)

    return compare
