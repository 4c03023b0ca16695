"""The `ftpd` command: serve, check, doctor, conformance, replay, passwd, cert, tftp-map, sample, completion, and those of `operating`, which ask a running server.

Apart from what the commands do: they import that when they run, so that help and completion cost no more than click itself.
Exit codes: 0 for success, also when a signal ends the server; 1 for a failure at run time; 2 for a wrong command line or configuration.
"""

from __future__ import annotations

import gc
import sys

import click

from ftpd import __version__
from ftpd.cli.conformance import conformance
from ftpd.cli.doctor import doctor
from ftpd.cli.endings import EXIT_CODES, refuse, told
from ftpd.cli.operating import COMMANDS
from ftpd.cli.replay import replay
from ftpd.cli.starting import starting

__all__ = ["main"]

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_EXISTING_FILE = click.Path(exists=True, dir_okay=False)
_SHELLS = ("bash", "zsh", "fish")


@click.group(context_settings=_SETTINGS, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="ftpd")
def main() -> None:
    """A file transfer server."""


@main.command(epilog="SIGTERM and SIGINT end it with exit code 0; SIGUSR1 opens log files anew.  " + EXIT_CODES)
@click.argument("directory", required=False, type=click.Path(exists=True, file_okay=False, readable=True))
@click.option("--config", "config_file", type=_EXISTING_FILE, help="Serve what this file says, instead of a directory.")
@click.option(
    "--listen", multiple=True, metavar="ADDRESS[:PORT]", help="Where to listen, such as 0.0.0.0:2121 or [::]:2121; repeatable."
)
@click.option(
    "--tftp",
    multiple=True,
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve by TFTP too, without a password and read only, on this UDP port of the same addresses; repeatable.",
)
@click.option("--plaintext-passwords", is_flag=True, help="Take passwords in clear from other machines.")
@click.option("--user", default="ftpd", show_default=True, help="Name of the generated account.")
@click.option("--read-only", is_flag=True, help="Refuse every change.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warn", "error", "critical"]), help="Least weight that is logged.")
def serve(
    directory: str | None,
    config_file: str | None,
    listen: tuple[str, ...],
    tftp: tuple[int, ...],
    plaintext_passwords: bool,
    user: str,
    read_only: bool,
    log_level: str | None,
) -> None:
    """Serve DIRECTORY, or what a configuration file says.

    DIRECTORY is served on 127.0.0.1 port 2121: anonymous clients may read, and one account, whose password is printed and good for this run,
    may write.
    """
    if (directory is None) == (config_file is None):
        raise click.UsageError("Give either a directory or --config FILE.")
    # Until it serves, a start makes many objects and hardly any garbage; looking for it takes 25 of 250 ms.
    gc.disable()
    try:
        with starting():
            from ftpd.cli.serving import Overrides, serve_directory, serve_file

            overrides = Overrides(listen, plaintext_passwords, read_only, log_level, has_stderr=True, tftp=tftp)
            if config_file is not None:
                sys.exit(told(lambda: serve_file(config_file, overrides)))
            sys.exit(told(lambda: serve_directory(str(directory), user, overrides)))
    finally:
        gc.enable()


@main.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path())
def check(file: str) -> None:
    """Check the configuration FILE and print the settings in effect.

    Every problem is named, with its dotted path; warnings go to standard error.
    """
    from ftpd.cli.checking import checked

    config, warnings, problems = told(lambda: checked(file))
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if problems:
        refuse(problems)
    from ftpd.config.reference import effective

    click.echo(effective(config), nl=False)


@main.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(dir_okay=False))
@click.argument("user")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from standard input, up to the first line end.")
@click.option("--generate", is_flag=True, help="Make a password and print it.")
def passwd(file: str, user: str, from_stdin: bool, generate: bool) -> None:
    """Set the password of USER in the password FILE.

    The file is made if there is none; the password is kept as a bcrypt hash only.
    """
    from ftpd.login.hashing import generate_password
    from ftpd.login.htpasswd import set_password

    if from_stdin and generate:
        raise click.UsageError("Give either --stdin or --generate.")
    password = generate_password() if generate else _asked_password(from_stdin)
    try:
        is_new = set_password(file, user, password)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or file}: {error.strerror}") from error
    click.echo(f"{user} {'added to' if is_new else 'changed in'} {file}", err=True)
    if generate:
        click.echo(password)


@main.command(epilog="DIRECTORY/certificate.pem and DIRECTORY/key.pem are made, or the two FILES that are named.  " + EXIT_CODES)
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="DIRECTORY | CERTIFICATE_FILE KEY_FILE")
@click.option(
    "--name", "names", multiple=True, help="Host name or IP address that clients connect to; repeatable.  [default: this machine's]"
)
@click.option("--days", type=click.IntRange(min=1), help="How long it lasts.  [default: 825, the most that Apple's systems take]")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def cert(paths: tuple[str, ...], names: tuple[str, ...], days: int | None, force: bool) -> None:
    """Make a self-signed certificate and its key, and print the settings that use them.

    Clients cannot verify it by themselves: tell their users the fingerprint.
    """
    from ftpd.cli.certificate import make_certificate

    try:
        lines = list(make_certificate(paths, names, days, overwrite=force))
    except FileExistsError as error:
        raise click.ClickException(f"{error.filename} is there already; --force overwrites it") from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    for line in lines:
        click.echo(line)


@main.command(
    "tftp-map",
    epilog="Exit codes: 0 a file is meant, 1 the name is refused, 2 wrong command line or rules.",
)
@click.argument("file", type=click.Path())
@click.argument("name")
@click.option("--put", is_flag=True, help="A client stores the file; else it fetches it.")
@click.option("--from", "address", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="IP address of the client.")
def tftp_map(file: str, name: str, put: bool, address: str) -> None:
    """Show what the rules of the map FILE make of NAME, which a TFTP client asks for.

    Each rule that matches is printed, with the name before and after it, then the file that is meant, below the listener's root.
    """
    from ftpd.cli.mapping import mapping

    try:
        lines, is_refused = told(lambda: mapping(file, name, is_write=put, address=address))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    for line in lines:
        click.echo(line)
    sys.exit(is_refused)


@main.command()
def sample() -> None:
    """Print a configuration file in which every setting stands with its default."""
    from ftpd.config.reference import sample as text

    click.echo(text(), nl=False)


@main.command()
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print what makes SHELL complete this command.

    For bash, in ~/.bashrc: eval "$(ftpd completion bash)".  It is what click prints when _FTPD_COMPLETE is set to bash_source.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # click has all of _SHELLS
    click.echo(kind(main, {}, "ftpd", "_FTPD_COMPLETE").source())


def _asked_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


for command in (doctor, conformance, replay, *COMMANDS):
    main.add_command(command)
