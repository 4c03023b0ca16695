"""`python -m ftpd`: the `ftpd` command; apart from `cli`, which can then be imported without running.  `bin/ftpd` starts here."""

from __future__ import annotations

from ftpd.cli import main

if __name__ == "__main__":
    main(prog_name="ftpd")
