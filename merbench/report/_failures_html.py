"""The section of the failures to inspect: answers beside media, clean and corrupted side by side."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from merbench.report._media import data_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from merbench.report._failures import Answer, Failure
    from merbench.report._media import Clip, Pair
    from merbench.report._study import Study
    from merbench.types import Modality

_FACTS = 3  # figures of what really happened that are shown


def failures_section(
    study: Study,
    failures: Sequence[Failure],
    pairs: Mapping[tuple[str, str], Pair],
    *,
    private: bool,
    why_not: str,
) -> str:
    """Return the section as HTML.

    Args:
        study: the runs.
        failures: what to show.
        pairs: their media by sample id and cell id; empty where there are none.
        private: whether the media may not be shared.
        why_not: where there are no media, the reason.
    """
    if not failures:
        return '<p class="lead">No sample was answered rightly when clean and wrongly under noise.</p>'
    told = (
        "Samples that were answered rightly when clean and wrongly under noise: first those that most models "
        "lose, then the surest mistakes, corruptions taking turns. Look for cues that a person still sees "
        "or hears."
    )
    parts = [f'<p class="caption">{told}</p>']
    if private:
        parts.append(
            '<p class="warn"><strong>Do not share this page.</strong> It holds media of a set whose licence '
            "forbids passing them on.</p>"
        )
    if why_not:
        parts.append(f'<p class="note">Without media: {escape(why_not)}.</p>')
    cards = "".join(_card(study, failure, pairs.get(key_of(study, failure))) for failure in failures)
    parts.append(f'<div class="failures">{cards}</div>')
    return "".join(parts)


def key_of(study: Study, failure: Failure) -> tuple[str, str]:
    """Return the sample id and the cell id of a failure."""
    return study.panel.sample_ids[failure.sample], study.panel.cells[failure.cell].cell_id


def _card(study: Study, failure: Failure, pair: Pair | None) -> str:
    sample, _ = key_of(study, failure)
    label = study.classes[study.panel.truth[failure.sample]]
    answers = "".join(
        f"<li>{escape(model.name)}: {_answer(clean)} when clean, {_answer(noisy)} under noise</li>"
        for model, (clean, noisy) in zip(study.models, failure.answers, strict=True)
    )
    facts = "" if pair is None else f'<p class="note">{escape(", ".join(_facts(pair.achieved)))}</p>'
    return (
        f'<article class="failure"><h3>{escape(label)}: {escape(study.cell_titles[failure.cell])}</h3>'
        f'<div class="note">sample {escape(sample)}</div><ul class="answers">{answers}</ul>'
        f"{facts}{'' if pair is None else _sides(pair)}</article>"
    )


def _answer(answer: Answer) -> str:
    sure = "" if answer.confidence is None else f" ({100 * answer.confidence:.0f} %)"
    said = escape(answer.label or "no class") + sure
    return said if answer.right else f'<span class="wrong">{said}</span>'


def _facts(achieved: Mapping[str, Any]) -> Iterator[str]:
    """Yield what really happened: the plain figures of `achieved`."""
    told = [
        (k, v) for k, v in sorted(achieved.items()) if isinstance(v, int | float) and not isinstance(v, bool)
    ]
    for key, value in told[:_FACTS]:
        yield f"{key.replace('_', ' ')} {value:.3g}"


def _sides(pair: Pair) -> str:
    clean = "".join(_media(pair.clean, modality, "clean") for modality in ("vision", "audio", "text"))
    noisy = "".join(
        _media(pair.noisy, modality, "corrupted")
        if modality in pair.changed
        else f'<p class="gone">{modality}: as when clean</p>'
        for modality in ("vision", "audio", "text")
    )
    return (
        f'<div class="sides"><div class="side"><h4>clean</h4>{clean}</div>'
        f'<div class="side"><h4>corrupted</h4>{noisy}</div></div>'
    )


def _media(clip: Clip, modality: Modality, which: str) -> str:
    if modality == "vision" and clip.pictures is not None:
        return f'<img loading="lazy" alt="{which} frames" src="{data_url("image/jpeg", clip.pictures)}">'
    if modality == "audio" and clip.audio is not None:
        source = data_url("audio/flac", clip.audio)
        return f'<audio controls preload="none" aria-label="{which} audio" src="{source}"></audio>'
    if modality == "text" and clip.text is not None:
        return f"<blockquote>{escape(clip.text)}</blockquote>"
    return f'<p class="gone">{modality}: absent</p>'
