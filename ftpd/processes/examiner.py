"""Examiner: a process that reads a configuration, tries everything that it names, and says what it has found.

Apart from the parent, which goes on minding its workers meanwhile, however long a disk or a name server takes; and it runs the code that is installed by
now, extensions included, where the parent has that of its start.  Run as `python -m ftpd.processes.examiner`: the question comes on descriptor 0, the answer
goes to descriptor ANSWER, both a JSON object.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from twisted.logger import globalLogBeginner

from ftpd.checking import inspection
from ftpd.config.source import Overrides, Source
from ftpd.processes.count import worker_count
from ftpd.processes.examination import ANSWER
from ftpd.processes.language import written_problem
from ftpd.processes.orphan import end_with_parent
from ftpd.processes.program import leave_signals_to_parent
from ftpd.reactor import chosen_reactor
from ftpd.schema import ConfigError, Problem

__all__ = ["main"]


def main() -> None:
    """Answer the one question."""
    end_with_parent(ANSWER)
    os.set_inheritable(ANSWER, False)
    leave_signals_to_parent()
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    question = json.load(sys.stdin.buffer)  # whose end is the parent's, where it is gone
    answer = _examined(question["file"], Overrides.of_message(question["overrides"]))
    with os.fdopen(ANSWER, "w", encoding="ascii") as file:
        json.dump(answer, file)
    os._exit(0)  # not by way of what extensions have left running


def _examined(file: str, overrides: Overrides) -> Mapping[str, Any]:
    try:
        source = Source.read(file, overrides)
        config = source.config()
        problems, warnings = inspection(config, chosen_reactor())
        workers = 0 if problems else worker_count(config)
    except ConfigError as error:
        return _answer(None, 0, error.problems, ())
    return _answer(source, workers, [attrs.evolve(problem, file=problem.file or file) for problem in problems], warnings)


def _answer(source: Source | None, workers: int, problems: Iterable[Problem], warnings: Iterable[str]) -> Mapping[str, Any]:
    return {
        "source": source and source.as_message(),
        "workers": workers,
        "problems": [written_problem(problem) for problem in problems],
        "warnings": list(warnings),
    }


if __name__ == "__main__":
    main()
