"""`python -m ftpd`: the `ftpd` command; apart from `cli`, which can then be imported without running.  `bin/ftpd` starts here."""

from __future__ import annotations

from ftpd.cli import main
from ftpd.leaving import leave

__all__ = ["run"]


def run() -> None:
    """Run the command, and end the process with its exit code."""
    try:
        main(prog_name="ftpd")
    except SystemExit as end:
        if not isinstance(end.code, int):  # nothing, or a sentence for Python to print
            raise
        leave(end.code)


if __name__ == "__main__":
    run()
