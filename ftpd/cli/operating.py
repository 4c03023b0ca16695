"""The commands that ask a running server: who, kick, slow, lock, unlock, reload, stop, status.

Apart from those that serve or work on files; as there, what a command needs is imported when it runs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ftpd.cli.endings import EXIT_CODES, fail, refuse, told

if TYPE_CHECKING:
    from ftpd.processes.asking import Server
    from ftpd.values import SessionRow

__all__ = ["COMMANDS"]


def _asking(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which server is asked."""
    config = click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False),
        envvar="FTPD_CONFIG",
        help="The server's configuration, which says where its control socket is.  [default: $FTPD_CONFIG, else /etc/ftpd/ftpd.toml]",
    )
    socket = click.option("--socket", type=click.Path(), help="The control socket itself; no configuration is read.")
    return config(socket(function))


def _choosing(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument and the options that say which sessions are meant."""
    whom = click.argument("whom", metavar="SESSION|ACCOUNT|ADDRESS")
    session = click.option("--session", "field", flag_value="session", help="It is the id of a session.")
    account = click.option("--account", "field", flag_value="account", help="It is the name of an account.")
    address = click.option("--address", "field", flag_value="address", help="It is an address, or a network such as 192.0.2.0/24.")
    return whom(session(account(address(function))))


@click.command(epilog=EXIT_CODES)
@click.option("--json", "as_json", is_flag=True, help="Print each session as a JSON object, one a line.")
@click.option(
    "--watch",
    is_flag=False,
    flag_value="1",
    metavar="[SECONDS]",
    type=click.FloatRange(min=0.1),
    help="Draw it anew every second, or as often as said, with a bar for each transfer; Ctrl-C ends it.",
)
@_asking
def who(as_json: bool, watch: float | None, config: str | None, socket: str | None) -> None:
    """List the sessions.

    Each has its id, who and from where it is, since when, and what it is doing.  The speed of a transfer is that since its start, with --watch
    that of the last five seconds.
    """
    if as_json and watch is not None:
        raise click.UsageError("Give either --json or --watch.")
    paths = _paths(config, socket)
    if watch is not None:
        _watch(paths, watch)
        return
    with _server(paths) as server:
        rows = server.who()
    _list_as_json(rows) if as_json else _list(rows)


@click.command(epilog="Exit codes: 0 some session has ended, 1 none was meant or a failure, 2 wrong command line or configuration.")
@_choosing
@_asking
def kick(whom: str, field: str | None, config: str | None, socket: str | None) -> None:
    """End sessions.

    One, those of an account, or those from an address or network.  Their transfers are cut, and they are told 421.  Which is meant is seen by
    its form; an account that is called like a session or an address needs --account.
    """
    field = _field(whom, field)
    with _server(_paths(config, socket)) as server:
        count = server.kick(field, whom)
    click.echo(f"{_some(count, field)} ended")


@click.command(epilog="Exit codes: 0 some session was meant, 1 none was or a failure, 2 wrong command line or configuration.")
@_choosing
@click.argument("rate", metavar="RATE")
@_asking
def slow(whom: str, rate: str, field: str | None, config: str | None, socket: str | None) -> None:
    """Slow sessions down.

    One, those of an account, or those from an address or network, as with `ftpd kick`.  Each is held to RATE a second each way, such as 200000
    or "1 MiB", a transfer under way included, until its login ends; 0 takes it back.  Other rates hold beside it.
    """
    from ftpd.cli.units import rate as readable_rate
    from ftpd.schema import FORMS, Size, Unfit

    field = _field(whom, field)
    try:
        bytes_a_second = FORMS[Size].read(rate)
    except Unfit as error:
        raise click.BadParameter(f"it must be {error}", param_hint="RATE") from error
    with _server(_paths(config, socket)) as server:
        count = server.slow(field, whom, bytes_a_second)
    sessions = _some(count, field)
    click.echo(f"{sessions} slowed to {readable_rate(bytes_a_second)}" if bytes_a_second else f"{sessions} slowed no more")


@click.command(epilog=EXIT_CODES)
@click.argument("message", default="")
@_asking
def lock(message: str, config: str | None, socket: str | None) -> None:
    """Refuse new sessions.

    They are told MESSAGE, or words of the server's own; those that are there go on.  It lasts until `ftpd unlock`, or until the server is
    stopped.
    """
    with _server(_paths(config, socket)) as server:
        server.lock(message)


@click.command(epilog=EXIT_CODES)
@_asking
def unlock(config: str | None, socket: str | None) -> None:
    """Let new sessions in again."""
    with _server(_paths(config, socket)) as server:
        server.unlock()


@click.command(epilog=EXIT_CODES)
@_asking
def reload(config: str | None, socket: str | None) -> None:
    """Take the changed configuration.

    It is checked first: one that cannot be used changes nothing, every problem in it is named, and the exit code is 2.  No session is cut.
    The command comes back when new sessions are served by it.
    """
    with _server(_paths(config, socket)) as server:
        server.reload()


@click.command(epilog=EXIT_CODES)
@click.option("--now", is_flag=True, help="Do not wait for transfers: cut them.")
@_asking
def stop(now: bool, config: str | None, socket: str | None) -> None:
    """Stop the server.

    Transfers may end first, for as long as process.stop says.  The command comes back when the server is gone.
    """
    with _server(_paths(config, socket)) as server:
        server.stop(now)


@click.command(epilog=EXIT_CODES)
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
@_asking
def status(as_json: bool, config: str | None, socket: str | None) -> None:
    """Show the state of the server."""
    from ftpd.cli.overview import overview
    from ftpd.cli.screen import say
    from ftpd.cli.sessions import View
    from ftpd.processes.language import written_status

    with _server(_paths(config, socket)) as server:
        found = server.status()
    say([json.dumps(written_status(found))] if as_json else overview(found, View(time.time())))


COMMANDS = (who, kick, slow, lock, unlock, reload, stop, status)


def _field(whom: str, field: str | None) -> str:
    """Return which field of a session *whom* is, where no option has said it."""
    from ftpd.accounts.choice import read_network
    from ftpd.cli.whom import field_of

    try:
        field = field or field_of(whom)
        if field == "address":
            read_network(whom)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return field


def _some(count: int, field: str) -> str:
    """Return *count* sessions in words; there being none is a failure."""
    from ftpd.cli.units import counted

    if not count:
        fail(f"There is no session of that {field}." if field != "session" else "There is no such session.")
    return counted(count, "session")


def _paths(config: str | None, socket: str | None) -> Sequence[str]:
    """Return where the control socket may be."""
    if socket is None:
        return _configured_paths(config)
    if click.get_current_context().get_parameter_source("config") is ParameterSource.COMMANDLINE:
        raise click.UsageError("Give either --config FILE or --socket PATH.")
    return [socket]


def _configured_paths(config: str | None) -> Sequence[str]:
    from ftpd.cli.finding import control_paths

    paths: Sequence[str] = told(lambda: control_paths(config))
    return paths


@contextmanager
def _server(paths: Sequence[str]) -> Iterator[Server]:
    """Connect to the server at one of *paths*; what goes wrong with it becomes a sentence and an exit code."""
    from ftpd.processes.asking import CannotAsk, NotDone, asked_server

    try:
        with asked_server(paths) as server:
            yield server
    except CannotAsk as error:
        fail(error)
    except NotDone as error:
        if error.kind == "configuration":
            refuse(error.problems)
        fail(error)


def _list(rows: Sequence[SessionRow]) -> None:
    from ftpd.cli.screen import Screen, say
    from ftpd.cli.sessions import View, session_table
    from ftpd.cli.speeds import Speeds

    now = time.time()
    say(session_table(rows, Speeds().observe(rows, now), View(now, Screen().columns)))


def _list_as_json(rows: Sequence[SessionRow]) -> None:
    from ftpd.cli.screen import say
    from ftpd.logs.visible import readable
    from ftpd.processes.language import written_row

    def plain(value: Any) -> Any:
        return readable(value) if isinstance(value, str) else value

    say(json.dumps({name: plain(value) for name, value in written_row(row).items()}) for row in rows)


def _watch(paths: Sequence[str], seconds: float) -> None:
    """Draw the sessions again and again; each time over a new connection, which the server does not keep for a slow watcher."""
    from ftpd.cli.screen import Screen
    from ftpd.cli.sessions import View, session_board
    from ftpd.cli.speeds import Speeds

    screen, speeds = Screen(), Speeds()
    with suppress(KeyboardInterrupt):  # the way to end it
        while True:
            with _server(paths) as server:
                rows = server.who()
            now = time.time()
            screen.draw(session_board(rows, speeds.observe(rows, now), View(now, screen.columns, screen.lines)))
            time.sleep(seconds)
