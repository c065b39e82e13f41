"""Several models behind one interface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from merbench.errors import MerbenchError
from merbench.hashing import combine, hash_file, hash_json
from merbench.models import _probabilities
from merbench.models._adapter import UNRECORDED, Adapter, SplitAdapter
from merbench.models._ensemble import quality
from merbench.models._ensemble.fitted import Fitted
from merbench.models._ensemble.grammar import Call, read_call
from merbench.models._ensemble.members import join_labels, views
from merbench.models._ensemble.only import Only, restrict
from merbench.models._ensemble.rules import RULES, Mean, Router, Weighted
from merbench.options import build, canonical
from merbench.types import MODALITIES, Batch, Packed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from merbench.models._adapter import TrainingRecord
    from merbench.models._ensemble.members import Member
    from merbench.types import Modality

_CODE = (*sorted(Path(__file__).parent.glob("*.py")), Path(_probabilities.__file__))


@dataclass(frozen=True)
class Combination:
    """A rule over members: everything about an ensemble but how its members are called."""

    name: str
    members: tuple[Member, ...]
    rule: Mean
    fitted: Fitted | None

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Every modality that some member reads."""
        return tuple(m for m in MODALITIES if any(m in member.adapter.uses for member in self.members))

    @property
    def trained_on(self) -> tuple[TrainingRecord, ...] | None:
        """What the members were trained on and the weights were fitted on; ``None`` when nobody knows any."""
        recorded = [member.adapter.trained_on for member in self.members]
        records: list[TrainingRecord] = []
        if self.fitted is not None:
            recorded.append((self.fitted.record,))
        if all(own is None for own in recorded):
            return None
        for own in recorded:
            records += [r for r in ((UNRECORDED,) if own is None else own) if r not in records]
        return tuple(records)

    def fingerprint(self) -> str | None:
        """Return a hash over rule, members and code; ``None`` if a member has none."""
        own = [member.adapter.fingerprint() for member in self.members]
        if None in own:
            return None
        said = {k: v for k, v in canonical(self.rule).items() if k != "fit"}
        fitted = None if self.fitted is None else self.fitted.to_json()
        parts = [type(self.rule).__name__, hash_json(said), hash_json(fitted), *map(str, own)]
        return combine([*parts, *map(hash_file, _CODE)])

    def parameters(self) -> int | None:
        """Return how many weights all members have; ``None`` if one cannot tell."""
        own = [member.adapter.parameters() for member in self.members]
        return None if None in own else sum(map(int, own))  # type: ignore[arg-type]

    def distributions(self, batch: Batch) -> list[npt.NDArray[np.float64]]:
        """Return what each member says of a batch [N, C]."""
        seen = zip(self.members, views(self.members, batch), strict=True)
        return [member.predict(view) for member, view in seen]

    def quality(self, modality: Modality, batch: Batch) -> npt.NDArray[np.float32]:
        """Return how clean a modality is that every row has [N]; 1 where no rule asks."""
        if not self.rule.routes:
            return np.ones(len(batch), dtype=np.float32)
        return quality.measure(modality, batch, frozenset() if self.fitted is None else self.fitted.trigrams)

    def answer(
        self,
        distributions: Sequence[npt.NDArray[np.float64]],
        present: Mapping[Modality, npt.NDArray[np.bool_]],
        clean: Mapping[Modality, npt.NDArray[np.floating]],
    ) -> npt.NDArray[np.float64]:
        """Return log-probabilities [N, C] from what each member says.

        Args:
            distributions: one [N, C] per member.
            present: which rows have each modality.
            clean: how clean each modality is, [N]; only read by rules that route.
        """
        said = self.silence(distributions, present)
        trust = self.trust(present, clean) if self.rule.routes else None
        return _probabilities.log(self.rule.combine(said, trust, self.fitted))

    def trust(
        self,
        present: Mapping[Modality, npt.NDArray[np.bool_]],
        clean: Mapping[Modality, npt.NDArray[np.floating]],
    ) -> npt.NDArray[np.float64]:
        """Return the mean cleanness of the modalities of each member that are there [M, N]."""
        usual = {} if self.fitted is None else self.fitted.quality
        levels = {m: np.minimum(1.0, level / (usual.get(m) or 1.0)) for m, level in clean.items()}
        trust = []
        for member in self.members:
            uses = member.adapter.uses
            total = np.sum([np.where(present[m], levels[m], 0.0) for m in uses], axis=0)
            trust.append(total / np.maximum(1, np.sum([present[m] for m in uses], axis=0)))
        return np.stack(trust)

    def silence(
        self,
        distributions: Sequence[npt.NDArray[np.float64]],
        present: Mapping[Modality, npt.NDArray[np.bool_]],
    ) -> npt.NDArray[np.float64]:
        """Return [M, N, C] in which a member abstains from the rows that have none of its modalities."""
        said = np.stack(distributions)
        for spoken, member in zip(said, self.members, strict=True):
            if member.adapter.uses:
                spoken[~np.any([present[m] for m in member.adapter.uses], axis=0)] = 0
        return said


class Ensemble(Adapter):
    """Several models of which some read several modalities as one piece: each cell runs them all."""

    def __init__(self, combination: Combination) -> None:
        _describe(self, combination)
        self.combination = combination

    def predict(self, batch: Batch) -> npt.NDArray[np.float64]:
        """Return log-probabilities [N, C]."""
        said = self.combination.distributions(batch)
        present = {m: batch.present(m) for m in self.uses}
        clean = {}
        for modality, there in present.items():
            clean[modality] = np.zeros(len(batch), dtype=np.float32)
            rows = np.flatnonzero(there)
            clean[modality][rows] = self.combination.quality(modality, batch.only(modality).take(rows))
        return self.combination.answer(said, present, clean)

    def fingerprint(self) -> str | None:
        """Return a hash over rule, members and code."""
        return self.combination.fingerprint()

    def parameters(self) -> int | None:
        """Return how many weights all members have."""
        return self.combination.parameters()


class SplitEnsemble(SplitAdapter):
    """Several models that answer from one modality each, or from encodings of one modality each.

    What is kept of a modality is, end to end, its quality and what each member that reads it keeps. So a
    cell that changes the audio runs again what reads audio, and nothing else.
    """

    def __init__(self, combination: Combination) -> None:
        _describe(self, combination)
        self.combination = combination
        self._shapes: dict[tuple[int, Modality], tuple[int, ...]] = {}

    def encode(self, modality: Modality, batch: Batch) -> npt.NDArray[np.float32]:
        """Return [N, 1 + D]: quality, and what the members keep."""
        n = len(batch)
        parts = [self.combination.quality(modality, batch)[:, None]]
        readers = self._readers(modality)
        for (i, member), view in zip(readers, views([member for _, member in readers], batch), strict=True):
            kept = member.encode(modality, view)
            self._shapes[i, modality] = kept.shape[1:]
            parts.append(kept.reshape(n, -1))
        return np.concatenate(parts, axis=1)

    def fuse(
        self,
        encodings: Mapping[Modality, npt.NDArray[np.float32]],
        present: Mapping[Modality, npt.NDArray[np.bool_]],
    ) -> npt.NDArray[np.float64]:
        """Return log-probabilities [N, C]."""
        n = len(next(iter(present.values())))
        kept: list[dict[Modality, npt.NDArray[np.float32]]] = [{} for _ in self.combination.members]
        clean = {m: np.zeros(n) for m in self.uses}
        for modality, encoded in encodings.items():
            clean[modality] = encoded[:, 0].astype(np.float64)
            start = 1
            for i, _ in self._readers(modality):
                shape = self._shapes[i, modality]
                end = start + int(np.prod(shape))
                kept[i][modality] = encoded[:, start:end].reshape(n, *shape)
                start = end
        said = []
        for member, mine in zip(self.combination.members, kept, strict=True):
            if not member.adapter.uses:
                said.append(member.predict(_nothing(n)))
            elif mine:
                said.append(member.fuse(mine, {m: present[m] for m in member.adapter.uses}))
            else:
                said.append(np.zeros((n, len(self.labels))))
        return self.combination.answer(said, present, clean)

    def fingerprint(self) -> str | None:
        """Return a hash over rule, members and code."""
        return self.combination.fingerprint()

    def parameters(self) -> int | None:
        """Return how many weights all members have."""
        return self.combination.parameters()

    def _readers(self, modality: Modality) -> list[tuple[int, Member]]:
        """Return the members that read a modality, with their places."""
        return [(i, m) for i, m in enumerate(self.combination.members) if modality in m.adapter.uses]


def combine_models(call: Call, load: Callable[[str], Adapter]) -> Adapter:
    """Return the model that a call describes.

    Args:
        call: as `read_call` gives it.
        load: makes an adapter of a spec that is no call, with the device and the rest settled; called with
            one spec twice it may return one adapter twice, so that its weights are in memory once.

    Raises:
        MerbenchError: there is no such rule or option; there are too few or too many members; they share
            too few labels; weights are not one number per member; a router has a member that reads nothing;
            what `load` raises.
    """

    if call.rule == "only":
        if len(call.members) != 1:
            raise MerbenchError(f"only(...) takes one model, not {len(call.members)}", fix="name one")
        only = build(Only, call.rule, dict(call.options))
        return restrict(load_members(call, load)[0], only)
    if call.rule not in RULES:
        raise MerbenchError(f"there is no rule '{call.rule}'", fix=f"write {', '.join((*RULES, 'only'))}")
    if len(call.members) < 2:
        raise MerbenchError(
            f"{call.rule}(...) joins {len(call.members)} models",
            fix=f"give two or more, with semicolons between them: {call.rule}(MODEL; MODEL)",
        )
    rule = build(RULES[call.rule], call.rule, dict(call.options))
    adapters = load_members(call, load)
    if rule.routes and (blind := next((a.name for a in adapters if not a.uses), None)):
        raise MerbenchError(
            f"a router cannot judge what '{blind}' reads: nothing", fix="leave it out, or write weighted"
        )
    rule.check(len(adapters))
    file = rule.fit if isinstance(rule, (Weighted, Router)) else None
    combination = Combination(
        name=f"{call.rule}({'; '.join(adapter.name for adapter in adapters)})",
        members=join_labels(adapters, rule.labels),
        rule=rule,
        fitted=None if file is None else Fitted.read(file, identities(adapters)),
    )
    apart = all(member.splits or len(member.adapter.uses) <= 1 for member in combination.members)
    return SplitEnsemble(combination) if apart and combination.modalities else Ensemble(combination)


def load_members(call: Call, load: Callable[[str], Adapter]) -> list[Adapter]:
    """Return the adapters of a call's members, which may be calls themselves (see `combine_models`)."""
    nested = [(spec, read_call(spec)) for spec in call.members]
    return [load(spec) if inner is None else combine_models(inner, load) for spec, inner in nested]


def identities(adapters: Sequence[Adapter]) -> list[tuple[str, str | None]]:
    """Return name and fingerprint of each model, by which fitted weights know what they are for."""
    return [(adapter.name, adapter.fingerprint()) for adapter in adapters]


def _describe(adapter: Adapter, combination: Combination) -> None:
    adapter.name = combination.name
    adapter.labels = combination.members[0].labels
    adapter.uses = combination.modalities
    adapter.trained_on = combination.trained_on
    adapter.batch_size = min(member.adapter.batch_size for member in combination.members)


def _nothing(n: int) -> Batch:
    """Return a batch of `n` rows in which every modality is missing."""
    empty = Packed.of([None] * n, np.uint8)
    return Batch(
        audio=empty, sample_rates=(None,) * n, frames=empty, timestamps=(None,) * n, text=(None,) * n
    )
