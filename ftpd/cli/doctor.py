"""`ftpd doctor`: why data connections fail, and what to change.

Apart from the package that finds it, and from the other commands: here are its arguments and its end only.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ftpd.cli.endings import told
from ftpd.cli.remote import client_context, place_of, server_password

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ftpd.config.tree import Config
    from ftpd.doctor.examination import Visit
    from ftpd.doctor.finding import Finding

__all__ = ["doctor"]

_ANONYMOUS = ("anonymous", "ftp")


@click.command(epilog="Exit codes: 0 no fault was found, 1 one was, 2 wrong command line or configuration.")
@click.argument("server", required=False, metavar="[HOST[:PORT]]")
@click.option(
    "--config", "config_file", type=click.Path(exists=True, dir_okay=False), help="Judge this configuration on this machine."
)
@click.option("--user", default="anonymous", show_default=True, help="Who logs in on the server.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, up to the first line end.")
@click.option(
    "--tls",
    type=click.Choice(["none", "explicit", "implicit"]),
    default="none",
    show_default=True,
    help="TLS of the control connection.",
)
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False),
    help="Certificates of authorities to trust, in PEM, instead of the system's.",
)
@click.option("--insecure", is_flag=True, help="Take any certificate of the server.")
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=10.0, show_default=True, metavar="SECONDS", help="What one step may take."
)
def doctor(
    server: str | None,
    config_file: str | None,
    user: str,
    password_stdin: bool,
    tls: str,
    ca_file: str | None,
    insecure: bool,
    timeout: float,
) -> None:
    """Find out why data connections fail, and say what to change.

    With --config, this machine and its configuration are looked at: NAT, containers, port ranges, names.  With HOST, a running server is tried
    as one of its clients would: passive and active mode, extended and not, in clear and over TLS, each with a listing; start it where the
    clients are.  With both, the ports that the server tells are compared with those of the configuration.
    """
    if server is None and config_file is None:
        raise click.UsageError("Give --config FILE, HOST, or both.")
    from ftpd.doctor.examination import Visit
    from ftpd.doctor.finding import Finding, Weight, report

    config = _read(config_file) if config_file is not None else None
    visit = None
    if server is not None:
        ports = config.ftp.passive.ports if config is not None else None
        host, port = place_of(server, is_implicit=tls == "implicit")
        context = None if tls == "none" else client_context(insecure, ca_file)
        visit = Visit(host, port, user, _password(user, password_stdin), tls, context, ports, timeout)  # type: ignore[arg-type]  # click has seen to it
    findings = list[Finding]()
    for line in report(_noted(_findings(config, visit), findings)):
        click.echo(line)
    sys.exit(any(finding.weight is Weight.FAULT for finding in findings))


def _read(file: str) -> Config:
    from ftpd.config.load import load_config

    config: Config = told(lambda: load_config(file))
    return config


def _findings(config: Config | None, visit: Visit | None) -> Iterator[Finding]:
    if config is not None:
        from ftpd.doctor.inspection import inspect, resolved
        from ftpd.doctor.machine import look_around

        yield from inspect(config, look_around(), resolved)
    if visit is not None:
        from ftpd.doctor.examination import examine

        yield from examine(visit)


def _noted(findings: Iterator[Finding], kept: list[Finding]) -> Iterator[Finding]:
    """Pass *findings* on as they come, and keep them."""
    for finding in findings:
        kept.append(finding)
        yield finding


def _password(user: str, from_stdin: bool) -> str:
    return "doctor@" if user in _ANONYMOUS and not from_stdin else server_password(from_stdin)
