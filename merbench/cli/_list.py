"""``merbench list`` and ``merbench show``: what there is, and one thing in full."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from merbench.cli._arguments import AsJson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from merbench.corruption import Corruption
    from merbench.datasets import Card
    from merbench.registry import Registry

show = typer.Typer(no_args_is_help=True)

BUILTIN = "builtin"
"""The entry point that provides what comes with merbench."""

KINDS = ("attacks", "corruptions", "datasets", "models", "presets", "protocols", "recipes", "studies")


def list_plugins(
    kind: Annotated[str, typer.Argument(help=", ".join(KINDS))] = "corruptions",
    json: AsJson = False,
) -> None:
    """List what is registered, ours and everybody else's."""
    from merbench.cli._console import emit, out, say
    from merbench.errors import MerbenchError

    if kind not in KINDS:
        raise MerbenchError(f"there is no list of '{kind}'", fix=f"choose one of {', '.join(KINDS)}")
    rows = {
        "attacks": _attack_rows,
        "corruptions": _corruption_rows,
        "datasets": _dataset_rows,
        "models": _model_rows,
        "presets": _preset_rows,
        "protocols": _protocol_rows,
        "recipes": _recipe_rows,
        "studies": _study_rows,
    }[kind]()
    if json:
        emit(rows)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    broken = [row["broken"] for row in rows if "broken" in row]
    rows = [row for row in rows if "broken" not in row]
    columns = [column for column in rows[0] if _tells(column, rows)] if rows else []
    for column in columns:
        heading = column.removeprefix("label_").replace("_", " ")
        table.add_column(heading, no_wrap=column in ("name", "label_validity"), overflow="fold")
    for row in rows:
        table.add_row(*(escape(_brief(column, row[column])) for column in columns))
    out().print(table)
    if kind == "corruptions":
        say("validity: at severities 1 to 5 a label is p preserved, u uncertain, c changed")
    if kind == "datasets":
        say(_where_datasets_are_sought())
    for reason in broken:
        out().print(f"broken: {reason}", markup=False, soft_wrap=True)


def _tells(column: str, rows: list[dict[str, Any]]) -> bool:
    """Return whether a column is worth its place: a provider only where somebody else has provided."""
    if column == "label":  # `label_validity` says it by severity
        return False
    return column != "provider" or any(row[column] != BUILTIN for row in rows)


def _brief(column: str, value: Any) -> str:
    return " ".join(word[0] for word in value) if column == "label_validity" else _cell(value)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _plugin_rows(registry: Registry[Any], row: Callable[[str, Any], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row per plug-in, and one that says why for each that cannot be used."""
    broken = registry.broken()
    rows = [{"name": name, **row(name, registry[name])} for name in registry.names() if name not in broken]
    return [*rows, *({"name": name, "broken": str(error)} for name, error in broken.items())]


def _attack_rows() -> list[dict[str, Any]]:
    from merbench.attacks import attacks
    from merbench.options import describe

    return _plugin_rows(
        attacks,
        lambda name, cls: {
            "about": " ".join((cls.__doc__ or "").split("\n\n")[0].split()),
            "alters": list(cls.changes),
            "knows": cls.knows,
            "options": [option for option, *_ in describe(cls)],
        },
    )


def _corruption_rows() -> list[dict[str, Any]]:
    from merbench.corruption import corruptions

    return _plugin_rows(
        corruptions,
        lambda name, cls: {
            "severity_1_to_5": _strengths(cls),
            "exactness": cls.exactness,
            "label": " ".join(dict.fromkeys(cls.label_validity)),
            "label_validity": list(cls.label_validity),
            "provider": corruptions.entry(name).provider,
        },
    )


def _strengths(cls: type[Corruption]) -> str:
    return "; ".join(f"{key} {', '.join(f'{v:g}' for v in values)}" for key, values in cls.severity.items())


def _twin(tolerance: int | None) -> str:
    """Say what a card owes to know of its twin on a device."""
    if tolerance is None:
        return "none: the host does the work"
    return "the same bytes" if tolerance == 0 else f"at most {tolerance} levels from the host's bytes"


def _dataset_rows() -> list[dict[str, Any]]:
    from merbench.datasets import datasets

    return _plugin_rows(
        datasets,
        lambda name, cls: {
            "found": _found(name, cls.card),
            "title": cls.card.title,
            "modalities": list(cls.card.modalities),
            "labels": list(cls.card.labels),
            "provider": datasets.entry(name).provider,
        },
    )


def _found(name: str, card: Card) -> str:
    """Say where a dataset lies on this machine, as far as a look at its folder tells."""
    from merbench.datasets import default_root

    if not card.needs_root:
        return "always"
    root = default_root(name)
    if root is None:
        return "no" if card.labels else "whatever you name"  # a table, a repository: it is no one dataset
    return f"{root} (empty)" if root.is_dir() and not any(root.iterdir()) else str(root)


def _where_datasets_are_sought() -> str:
    base = os.environ.get("MERBENCH_DATA")
    if not base:
        return "MERBENCH_DATA is not set: it names the folder in which datasets lie by name; or pass --root"
    return f"looked for {Path(base) / 'NAME'}; whether a folder is whole: merbench dataset check NAME"


def _model_rows() -> list[dict[str, Any]]:
    from merbench.models import models

    return _plugin_rows(models, lambda name, cls: {"provider": models.entry(name).provider})


def _preset_rows() -> list[dict[str, Any]]:
    from merbench.suites.presets import PRESETS, severities_of

    return [
        {"name": name, "severities": list(severities_of([name])), "corruptions": list(members)}
        for name, members in sorted(PRESETS.items())
    ]


def _protocol_rows() -> list[dict[str, Any]]:
    from merbench.protocols import PROTOCOLS, load_protocol

    protocols = [load_protocol(name) for name in PROTOCOLS.names()]
    return [{"name": p.name, "title": p.title, "unit": p.unit, "metric": p.metric} for p in protocols]


def _recipe_rows() -> list[dict[str, Any]]:
    from merbench.training.recipe import RECIPES, load_recipe

    recipes = [load_recipe(name) for name in RECIPES.names()]
    return [
        {"name": r.name, "about": r.about, "dataset": r.data.dataset, "stages": [s.name for s in r.stages]}
        for r in recipes
    ]


def _study_rows() -> list[dict[str, Any]]:
    from merbench.ablation.study import STUDIES, load_study

    studies = [load_study(name) for name in STUDIES.names()]
    return [{"name": s.name, "about": s.about, "arms": [arm.name for arm in s.arms]} for s in studies]


@show.command("corruption")
def show_corruption(
    name: Annotated[str, typer.Argument(help="e.g. audio/urban_noise")],
    preview: Annotated[
        Path | None,
        typer.Option(help="A sound, picture, video or .txt file: write its five severities into --out."),
    ] = None,
    folder: Annotated[Path, typer.Option("--out", help="Where the preview goes.")] = Path(),
    json: AsJson = False,
) -> None:
    """Show a corruption's card: table, source, exactness, label validity, options."""
    from merbench.cli._console import emit, say
    from merbench.corruption import corruptions
    from merbench.options import split_spec

    cls = corruptions[split_spec(name)[0]]
    if preview is not None:
        from merbench.suites.plan import parse_corruption
        from merbench.suites.preview import write_preview

        corruption = parse_corruption(name, {})
        for path in write_preview(corruption, preview, folder):
            say(f"wrote {path}")
    card: dict[str, Any] = {
        "name": cls.name,
        "version": cls.version,
        "about": " ".join((cls.__doc__ or "").split("\n\n")[0].split()),
        "changes": list(cls.changes),
        "exactness": cls.exactness,
        "device": _twin(cls.device_tolerance),
        "severity": {key: list(values) for key, values in cls.severity.items()},
        "label_validity": list(cls.label_validity),
        "validity_source": " ".join(cls.validity_source.split()),
        "source": " ".join(cls.source.split()),
        "options": _options(cls),
    }
    if json:
        emit(card)
    else:
        _print_card(card)


def _print_card(card: dict[str, Any]) -> None:
    """Print the card of a corruption or of an attack, its options last."""
    rows: list[tuple[str, str]] = []
    for key, value in card.items():
        if key == "options":
            rows += _option_rows(value)
        elif isinstance(value, dict):
            rows += [(strength, "  ".join(f"{v:g}" for v in values)) for strength, values in value.items()]
        else:
            rows.append((key.replace("_", " "), _cell(value)))
    _print_rows(rows)


def _options(cls: type) -> dict[str, Any]:
    from merbench.options import describe

    return {key: {"type": kind, "default": value, "help": about} for key, kind, value, about in describe(cls)}


def _option_rows(options: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (f":{option}", f"{about['help']} ({about['type']}; default {about['default']})")
        for option, about in options.items()
    ]


def _print_rows(rows: Iterable[tuple[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from merbench.cli._console import out

    table = Table(box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    out().print(table)


@show.command("attack")
def show_attack(name: Annotated[str, typer.Argument(help="e.g. pgd")], json: AsJson = False) -> None:
    """Show an attack's card: what it alters, what it knows of the model, source, options."""
    from merbench.attacks import attacks
    from merbench.cli._console import emit
    from merbench.options import split_spec

    cls = attacks[split_spec(name)[0]]
    card: dict[str, Any] = {
        "name": cls.name,
        "version": cls.version,
        "about": " ".join((cls.__doc__ or "").split("\n\n")[0].split()),
        "alters": list(cls.changes),
        "knows": cls.knows,
        "source": " ".join(cls.source.split()),
        "options": _options(cls),
    }
    if json:
        emit(card)
    else:
        _print_card(card)


@show.command("dataset")
def show_dataset(name: Annotated[str, typer.Argument(help="e.g. ravdess")], json: AsJson = False) -> None:
    """Show a dataset's card: labels, licence, layout, options, citation."""
    from dataclasses import asdict

    from merbench.cli._console import emit
    from merbench.datasets import datasets

    cls = datasets[name]
    card: dict[str, Any] = {"name": cls.name, **asdict(cls.card)}
    card["options"] = _options(cls)
    if json:
        emit(card)
        return
    rows: list[tuple[str, str]] = []
    for key, value in card.items():
        if key == "options":
            rows += _option_rows(value)
        elif isinstance(value, dict):
            rows.append((key.replace("_", " "), "; ".join(f"{k}: {v}" for k, v in value.items())))
        else:
            rows.append((key.replace("_", " "), _setting(value)))
    _print_rows(rows)


@show.command("protocol")
def show_protocol(
    name: Annotated[str, typer.Argument(help="A committed protocol, or a TOML file.")], json: AsJson = False
) -> None:
    """Show an evaluation protocol: data, merged classes, folds, cells, published counts, citation."""
    from merbench.cli._console import emit
    from merbench.protocols import describe, load_protocol

    protocol = load_protocol(name)
    if json:
        emit({**protocol.to_json(), "sha256": protocol.sha256, "bibliography": list(protocol.bibliography)})
        return
    _print_rows(describe(protocol))


@show.command("recipe")
def show_recipe(
    name: Annotated[str, typer.Argument(help="A committed recipe, or a TOML file.")], json: AsJson = False
) -> None:
    """Show a training recipe with everything that it extends and every default."""
    from merbench.cli._console import emit
    from merbench.training.recipe import load_recipe

    recipe = load_recipe(name).to_json()
    if json:
        emit(recipe)
        return
    stages = {f"stage.{stage.pop('name')}": stage for stage in recipe.pop("stages")}
    rows: list[tuple[str, str]] = []
    for key, value in {**recipe, **stages}.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for option, setting in inner:
            shown = [f"{k} = {v}" for k, v in setting.items()] if isinstance(setting, dict) else setting
            rows.append((f"{key}.{option}".rstrip("."), _setting(shown)))
    _print_rows(rows)


@show.command("study")
def show_study(
    name: Annotated[str, typer.Argument(help="A committed study, or a TOML file.")], json: AsJson = False
) -> None:
    """Show a study: what is trained with which seeds, and what every model is tested on."""
    from merbench.ablation.study import load_study
    from merbench.cli._console import emit

    study = load_study(name).to_json()
    if json:
        emit(study)
        return
    rows = [("name", study["name"]), ("about", study["about"])]
    rows += [(f"train.{key}", _setting(value)) for key, value in study["train"].items()]
    rows.append(("arms", ", ".join(arm["name"] for arm in study["arms"])))
    for test, settings in study["tests"].items():
        for key, value in settings.items():
            inner = value.items() if isinstance(value, dict) else [("", value)]
            rows += [(f"test.{test}.{key}.{k}".rstrip("."), _setting(v)) for k, v in inner]
    _print_rows(rows)


def _setting(value: Any) -> str:
    return _cell(list(value) if isinstance(value, tuple) else value)


@show.command("run")
def show_run(
    folder: Annotated[Path, typer.Argument(help="A folder written by 'merbench eval'.")],
    metric: Annotated[
        str | None, typer.Option(help="The metric the table shows. Default: the protocol's or the task's.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="text, markdown, csv or latex; default: for this terminal.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Compute every figure of a run again from its predictions, and show it if all agree."""
    from merbench.cli._console import emit, out, say
    from merbench.evaluation.result import recompute
    from merbench.evaluation.table import further_tables, run_table
    from merbench.tables import require_format

    chosen = None if form is None else require_format(form)
    result = recompute(folder)
    if json:
        emit(result)
        return
    table = run_table(result, metric=metric)
    if chosen is None:
        out().print(table.rich())
        for further in further_tables(result, metric):
            out().print(further.rich())
        say("every figure was computed again from the predictions and agrees")
    else:
        typer.echo(table.to(chosen), nl=False)
