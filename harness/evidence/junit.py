"""The outcome of a gate as JUnit's XML, which CI systems show as tests."""

from __future__ import annotations

from pathlib import Path

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from harness.errors import UserError
from harness.evidence.gate import Check, Gated, Outcome


def write_junit(path: Path, gated: Gated, sentences: dict[Check, str]) -> None:
    """A suite a model, a test case a scenario.

    Beyond the margin is a failure. Inconclusive is an error, since what is not shown must not look like a pass.

    Raises:
        UserError: the file cannot be written.
    """
    document = JUnitXml("harness gate")
    for model in dict.fromkeys(check.model for check in gated.checks):
        suite = TestSuite(model)
        for check in gated.checks:
            if check.model == model:
                suite.add_testcase(_case(check, sentences[check]))
        document.add_testsuite(suite)
    try:
        document.write(str(path), pretty=True)
    except OSError as error:
        raise UserError(f"--junit: {path} cannot be written: {error.strerror}; name another file.") from error


def _case(check: Check, sentence: str) -> TestCase:
    name = f"{check.scenario} ({check.adapter})" if check.adapter else check.scenario
    case = TestCase(name, classname=check.model)
    if check.outcome is Outcome.BEYOND:
        case.result = [Failure(sentence, check.verdict)]
    elif check.outcome is Outcome.INCONCLUSIVE:
        case.result = [Error(sentence, check.verdict)]
    return case
