"""The report: what came of many rehearsed calls, as text, HTML and JUnit XML."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from xml.etree import ElementTree as ET


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge said of one criterion."""

    criterion: str
    passed: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One call.

    Attributes:
        persona: Who called.
        number: The how-manieth call of theirs, from 1.
        verdicts: On each criterion; empty if the call broke off.
        seconds: How long the call took.
        turns: How often the caller spoke.
        drawing: The conversation, drawn.
        error: Why it broke off; empty if it did not.
    """

    persona: str
    number: int
    verdicts: tuple[Verdict, ...]
    seconds: float
    turns: int
    drawing: str
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether every criterion is met."""
        return not self.error and all(verdict.passed for verdict in self.verdicts)

    @property
    def problems(self) -> list[str]:
        """What was not as it should be."""
        failed = [f"{v.criterion}: {v.why}" for v in self.verdicts if not v.passed]
        return [self.error, *failed] if self.error else failed


@dataclass(frozen=True, slots=True)
class Report:
    """Many calls of one agent.

    Attributes:
        agent: Its name.
        rehearsals: The calls.
    """

    agent: str
    rehearsals: tuple[Rehearsal, ...]

    @property
    def pass_rate(self) -> float:
        """The share of the calls that passed (0-1)."""
        return sum(each.passed for each in self.rehearsals) / max(1, len(self.rehearsals))

    @property
    def criteria(self) -> dict[str, float]:
        """For each criterion, the share of the judged calls that met it (0-1)."""
        met: dict[str, list[bool]] = {}
        for rehearsal in self.rehearsals:
            for verdict in rehearsal.verdicts:
                met.setdefault(verdict.criterion, []).append(verdict.passed)
        return {criterion: sum(each) / len(each) for criterion, each in met.items()}

    def __str__(self) -> str:
        passed = sum(each.passed for each in self.rehearsals)
        lines = [f"{self.agent}: {passed} of {len(self.rehearsals)} calls passed"]
        lines += [f"  {share * 100:3.0f} %  {text}" for text, share in self.criteria.items()]
        for each in self.rehearsals:
            lines += [f"  {each.persona} #{each.number}: {text}" for text in each.problems]
        return "\n".join(lines)

    def write(self, *, html: Path | str | None = None, junit: Path | str | None = None) -> None:
        """Write it as a page, as JUnit XML for CI, or both; folders are made.

        Raises:
            OSError: If a file cannot be written.
        """
        for where, text in ((html, self.html), (junit, self.junit)):
            if where is not None:
                path = Path(where)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text(), encoding="utf-8")

    def junit(self) -> str:
        """Return it as JUnit XML: a test case for each call."""
        errors = sum(bool(each.error) for each in self.rehearsals)
        failures = sum(not each.passed for each in self.rehearsals) - errors
        suite = ET.Element(
            "testsuite",
            name=f"rehearsals of {self.agent}",
            tests=str(len(self.rehearsals)),
            failures=str(failures),
            errors=str(errors),
            time=f"{sum(each.seconds for each in self.rehearsals):.3f}",
        )
        for each in self.rehearsals:
            case = ET.SubElement(
                suite,
                "testcase",
                classname=self.agent,
                name=f"{each.persona} #{each.number}",
                time=f"{each.seconds:.3f}",
            )
            if not each.passed:
                kind = "error" if each.error else "failure"
                problem = ET.SubElement(case, kind, message=_printable(each.problems[0]))
                problem.text = _printable("\n".join(each.problems))
            ET.SubElement(case, "system-out").text = _printable(each.drawing)
        root = ET.Element("testsuites")
        root.append(suite)
        ET.indent(root)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'

    def html(self) -> str:
        """Return it as one page, without anything from elsewhere."""
        rows = "".join(
            f"<tr><td>{escape(text)}</td><td>{share * 100:.0f} %</td></tr>"
            for text, share in self.criteria.items()
        )
        calls = "".join(_call(each) for each in self.rehearsals)
        passed = sum(each.passed for each in self.rehearsals)
        return _PAGE.format(
            agent=escape(self.agent),
            rate=f"{self.pass_rate * 100:.0f}",
            passed=passed,
            count=len(self.rehearsals),
            rows=rows,
            calls=calls,
        )


def _call(each: Rehearsal) -> str:
    mark = "passed" if each.passed else "failed"
    verdicts = "".join(
        f'<li class="{"passed" if v.passed else "failed"}">{escape(v.criterion)}'
        f"<span> {escape(v.why)}</span></li>"
        for v in each.verdicts
    )
    error = f'<p class="failed">{escape(each.error)}</p>' if each.error else ""
    opened = "" if each.passed else " open"
    return (
        f'<details{opened}><summary class="{mark}">{escape(each.persona)} #{each.number}: {mark},'
        f" {each.turns} turns, {each.seconds:.0f} s</summary>{error}<ul>{verdicts}</ul>"
        f"<pre>{escape(each.drawing)}</pre></details>\n"
    )


def _printable(text: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(char for char in text if char >= " " or char in "\t\n\r")


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Rehearsals of {agent}</title>
<meta name="viewport" content="width=device-width">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }}
h1 {{ font-size: 1.4rem }} td {{ padding: .1rem 1rem .1rem 0 }}
summary {{ cursor: pointer; padding: .2rem 0 }} li span {{ color: #777 }}
.passed {{ color: #17692f }} .failed {{ color: #b3261e }}
pre {{ background: #f5f5f5; padding: .6rem; overflow-x: auto; font-size: .8rem; color: #222 }}
@media (prefers-color-scheme: dark) {{ body {{ color: #ddd; background: #1b1b1b }}
  pre {{ background: #262626; color: #ddd }}
  .passed {{ color: #6fcf8a }} .failed {{ color: #ff8a80 }} }}
</style>
<h1>{agent}: {rate} % of the calls passed ({passed} of {count})</h1>
<table>{rows}</table>
{calls}</html>
"""
