"""`ftpd doctor`: why data connections fail, and what to change.

Apart from the package that finds it, and from the other commands: here are its arguments and its end only.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ftpd.cli.endings import told

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from ftpd.config.tree import Config
    from ftpd.doctor.examination import Visit
    from ftpd.doctor.finding import Finding
    from ftpd.schema import PortRange

__all__ = ["doctor"]

_STANDARD_PORT = 21
_IMPLICIT_PORT = 990


@click.command(epilog="Exit codes: 0 no fault was found, 1 one was, 2 wrong command line or configuration.")
@click.argument("server", required=False, metavar="[HOST[:PORT]]")
@click.option(
    "--config", "config_file", type=click.Path(exists=True, dir_okay=False), help="Judge this configuration on this machine."
)
@click.option("--user", default="anonymous", show_default=True, help="Who logs in on the server.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from standard input, up to the first line end.")
@click.option(
    "--tls",
    type=click.Choice(["none", "explicit", "implicit"]),
    default="none",
    show_default=True,
    help="TLS of the control connection.",
)
@click.option("--insecure", is_flag=True, help="Take any certificate of the server.")
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=10.0, show_default=True, metavar="SECONDS", help="What one step may take."
)
def doctor(
    server: str | None, config_file: str | None, user: str, from_stdin: bool, tls: str, insecure: bool, timeout: float
) -> None:
    """Find out why data connections fail, and say what to change.

    With --config, this machine and its configuration are looked at: NAT, containers, port ranges, names.  With HOST, a running server is tried
    as one of its clients would: passive and active mode, extended and not, in clear and over TLS, each with a listing; start it where the
    clients are.  With both, the ports that the server tells are compared with those of the configuration.
    """
    if server is None and config_file is None:
        raise click.UsageError("Give --config FILE, HOST, or both.")
    from ftpd.doctor.finding import Finding, Weight, report

    config = _read(config_file) if config_file is not None else None
    visit = None
    if server is not None:
        ports = config.ftp.passive.ports if config is not None else None
        visit = _visit(server, user, _password(user, from_stdin), tls, insecure, ports, timeout)
    findings = list[Finding]()
    for line in report(_noted(_findings(config, visit), findings)):
        click.echo(line)
    sys.exit(any(finding.weight is Weight.FAULT for finding in findings))


def _read(file: str) -> Config:
    from ftpd.config.load import load_config

    config: Config = told(lambda: load_config(file))
    return config


def _visit(server: str, user: str, password: str, tls: str, insecure: bool, ports: PortRange | None, timeout: float) -> Visit:
    from ftpd.doctor.examination import Visit

    host, port = _place(server, _IMPLICIT_PORT if tls == "implicit" else _STANDARD_PORT)
    context = None if tls == "none" else _context(insecure)
    return Visit(host, port, user, password, tls, context, ports, timeout)  # type: ignore[arg-type]  # click has seen to it


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


def _place(server: str, standard: int) -> tuple[str, int]:
    """Read `HOST`, `HOST:PORT`, an IPv6 address with or without brackets."""
    host, colon, port = server.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")) or server.endswith("]"):
        host, port = server, str(standard)
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536) or not host.strip("[]"):
        raise click.UsageError(f"{server!r} is not HOST or HOST:PORT, an IPv6 address in brackets.")
    return host.strip("[]"), int(port)


def _password(user: str, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if user in ("anonymous", "ftp"):
        return "doctor@"
    password: str = click.prompt("Password", hide_input=True, err=True)
    return password


def _context(insecure: bool) -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
