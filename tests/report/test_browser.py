"""The page in a browser: nothing complains, everything is drawn, nothing collides, every control works."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from merbench.report import Media, write_report
from tests.report.browser import probe, screenshot
from tests.report.runs import suite, write_run

EVIL = '<script>owned = 1</script><img src=x onerror="owned = 1">'

FIGURES = """
const visible = (element) => element.getClientRects().length > 0;
const panels = [...document.querySelectorAll(".panels svg")].filter(visible);
const overlap = (a, b) =>
  Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5 &&
  Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3.5;  // boxes are higher than letters
const edge = document.documentElement.clientWidth + 1;
const collisions = [], empty = [], outside = [];
for (const panel of panels) {
  const name = panel.getAttribute("aria-label");
  const texts = [...panel.querySelectorAll("text")].filter((text) => text.textContent);
  const boxes = texts.map((text) => text.getBoundingClientRect());
  if (!panel.querySelector("path") && !panel.textContent.includes("not applicable")) empty.push(name);
  if (/NaN|undefined/.test(panel.outerHTML)) empty.push(name);
  boxes.forEach((box, i) => {
    const here = name + ": " + texts[i].textContent;
    if (box.left < -1 || box.right > edge) outside.push(here);
    for (let j = 0; j < i; j++)
      if (overlap(box, boxes[j])) collisions.push(here + " | " + texts[j].textContent);
  });
}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Path]:
    base = tmp_path_factory.mktemp("runs")
    return [
        write_run(base / "a", "late-fusion"),
        write_run(
            base / "b", "ser_cnn", skill=0.7, uses=["audio"], marks=[{"kind": "contaminated", "why": "seen"}]
        ),
        write_run(base / "c", "emollama-base", skill=0.9, fall=0.12, probabilities=False),
    ]


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("page") / "report.html"
    write_report(runs, out, media=Media(wanted=False))
    return out


def test_every_figure_is_drawn_no_label_collides_and_every_control_works(page, tmp_path):
    found = probe(
        page,
        tmp_path,
        FIGURES
        + """
        const rows = () => [...document.querySelectorAll("#overview table tbody tr")].filter(visible)
          .map((row) => row.cells[0].textContent);
        const sorted = [];
        const head = [...document.querySelectorAll("#overview thead button")].filter(visible)[0];
        for (let i = 0; i < 2; i++) { head.click(); sorted.push(rows()); }

        const panel = document.querySelector("#severity-curves .panels svg");
        const tip = document.getElementById("tip");
        panel.focus();
        panel.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
        const told = tip.textContent;
        panel.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true}));

        const colour = () => getComputedStyle(document.body).backgroundColor;
        const light = colour();
        document.getElementById("theme").click();
        const dark = colour();

        const confusion = () => document.querySelectorAll("#confusions-panels svg")[1].textContent;
        const before = confusion();
        const chooser = document.getElementById("cell");
        chooser.selectedIndex = 0;
        chooser.dispatchEvent(new Event("change"));
        const chosen = confusion();

        const metric = document.getElementById("metric");
        metric.value = "accuracy";
        metric.dispatchEvent(new Event("change"));
        const shown = [...document.querySelectorAll("#heat-map [data-for]")].filter(visible)
          .map((variant) => variant.dataset.for);
        return {panels: panels.length, collisions, empty, outside, sorted, told, hidden: tip.hidden,
                light, dark, before, chosen, shown, first: document.querySelector("section").id};
        """,
    )
    assert found["panels"] == 4 + 3 + 5 + 1 + 6 + 3 * 4 + 3
    assert found["collisions"] == []
    assert found["empty"] == []
    assert found["outside"] == []
    assert found["sorted"] == [
        ["emollama-base", "late-fusion", "ser_cnn"],
        ["ser_cnn", "late-fusion", "emollama-base"],
    ]
    assert found["told"].startswith("clean\nlate-fusion: ")
    assert found["hidden"]
    assert found["light"] == "rgb(255, 255, 255)"
    assert found["dark"] == "rgb(18, 23, 29)"
    assert "modality/dropout, severity 5" in found["before"]  # the cell in which most is lost is shown first
    assert "audio/environment, severity 1" in found["chosen"]
    assert found["shown"] == ["accuracy"]
    assert found["first"] == "overview"


@pytest.mark.slow
def test_a_narrow_phone_scrolls_only_downwards(page, tmp_path):
    script = (
        FIGURES
        + "return {width: document.documentElement.scrollWidth, seen: innerWidth, collisions, outside};"
    )
    found = probe(page, tmp_path, script, width=360, height=740)
    assert found["width"] <= found["seen"]
    assert found["collisions"] == []
    assert found["outside"] == []


@pytest.mark.slow
def test_html_in_names_classes_and_speakers_is_shown_and_not_run(tmp_path):
    classes = (EVIL, "</script>", "happy")
    run = write_run(tmp_path / "run", EVIL, classes=classes, marks=[{"kind": "contaminated", "why": EVIL}])
    write_report([run], tmp_path / "report.html", media=Media(wanted=False))
    found = probe(
        tmp_path / "report.html",
        tmp_path,
        """
        return {owned: typeof owned, images: document.images.length,
                heading: document.querySelector("h1").textContent};
        """,
    )
    assert found["owned"] == "undefined"
    assert found["images"] == 0
    assert EVIL in found["heading"]


@pytest.mark.slow
def test_media_of_the_failures_are_there_to_see_and_hear(tmp_path, merbench):
    run = tmp_path / "run"
    common = ("--dataset", "synthetic", "--limit", "24", "--severity", "5")
    common += ("--corruption", "vision/occlusion_mask", "--corruption", "text/typo")
    assert merbench("eval", "--model", "late-fusion", *common, "--out", run).code == 0
    assert merbench("report", run, "--out", tmp_path / "report.html").code == 0
    found = probe(
        tmp_path / "report.html",
        tmp_path,
        """
        const images = [...document.querySelectorAll("#failures img")];
        const sounds = [...document.querySelectorAll("#failures audio")];
        return {cards: document.querySelectorAll(".failure").length, sounds: sounds.length,
                images: images.length, playable: sounds[0].canPlayType("audio/flac"),
                said: document.querySelectorAll("#failures blockquote").length};
        """,
    )
    assert found["cards"] > 0
    assert found["sounds"] >= found["cards"] // 2
    assert found["images"] >= found["cards"] // 2
    assert found["said"] >= found["cards"] // 2
    assert found["playable"]


@pytest.mark.slow
def test_ten_models_at_two_sizes_in_two_themes(tmp_path):
    """Pictures to look at: they stay in the folder MERBENCH_SCREENSHOTS, where it is set."""
    kept = Path(os.environ.get("MERBENCH_SCREENSHOTS", tmp_path / "screenshots"))
    corruptions = [f"{family}/kind_{i}" for family in ("audio", "vision", "text") for i in range(3)]
    runs = [
        write_run(
            tmp_path / f"run{i}",
            f"model-{i}",
            skill=0.95 - 0.05 * i,
            fall=0.02 + 0.01 * (i % 4),
            cells=suite(corruptions),
        )
        for i in range(10)
    ]
    page = tmp_path / "report.html"
    write_report(runs, page, media=Media(wanted=False))
    found = probe(page, tmp_path, FIGURES + "return {collisions, empty, outside};")
    assert found == {"collisions": [], "empty": [], "outside": []}
    for theme in ("light", "dark"):
        for width, height in ((1280, 6000), (390, 12000)):
            out = kept / f"report-{width}-{theme}.png"
            assert (
                screenshot(page, out, tmp_path, width=width, height=height, theme=theme).stat().st_size
                > 100_000
            )
