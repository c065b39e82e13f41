"""What the gate found as JUnit XML, which every CI system shows: one test case per comparison."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from merbench.regression.words import interval_text, points

if TYPE_CHECKING:
    from merbench.regression.gate import Comparison, Report

_SUITE = "merbench check"
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2


def to_junit(report: Report) -> bytes:
    """Return the report as JUnit XML.

    A regression is a failure; what could not be told is an error, for it must not look like a pass.
    """
    verdicts = [comparison.verdict for comparison in report.comparisons]
    suite = ElementTree.Element(
        "testsuite",
        name=_SUITE,
        tests=str(len(verdicts)),
        failures=str(verdicts.count("regressed")),
        errors=str(verdicts.count("could not tell")),
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (
        ("verdict", report.verdict),
        ("new", report.models[0]),
        ("baseline", report.models[1]),
        ("metric", report.metric),
        ("tolerance", f"{report.tolerance:g}"),
    ):
        ElementTree.SubElement(properties, "property", name=name, value=_clean(value))
    for comparison in report.comparisons:
        suite.append(_case(comparison, report.metric))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _case(comparison: Comparison, metric: str) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", classname=f"{_SUITE}.{_clean(comparison.family)}", name=_clean(comparison.name)
    )
    if comparison.verdict != "held":
        kind = "failure" if comparison.verdict == "regressed" else "error"
        said = (
            f"{metric} changed by {points(comparison.change)} points "
            f"{interval_text(comparison.pointwise)}: {comparison.lost} answers lost, {comparison.won} won"
        )
        ElementTree.SubElement(case, kind, message=_clean(said), type=comparison.verdict)
    return case


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
