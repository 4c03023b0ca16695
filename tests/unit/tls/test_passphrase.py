from __future__ import annotations

import sys

import pytest

from ftpd.tls import passphrase
from ftpd.tls.passphrase import NoPassphrase, passphrase_of
from ftpd.tls.settings import CertificateSettings


def command(*arguments):
    return CertificateSettings(passphrase_command=arguments)


def python(code):
    return command(sys.executable, "-c", code)


def refusal(settings):
    with pytest.raises(NoPassphrase) as error:
        passphrase_of(settings)
    return str(error.value)


def test_no_source_is_no_passphrase():
    assert passphrase_of(CertificateSettings()) is None


@pytest.mark.parametrize("content", [b"secret", b"secret\n", b"secret\r\n", b"secret\nsecond line\n"])
def test_it_is_the_first_line_of_the_file(tmp_path, content):
    file = tmp_path / "passphrase"
    file.write_bytes(content)
    assert passphrase_of(CertificateSettings(passphrase_file=str(file))) == b"secret"


def test_spaces_and_bytes_beyond_ascii_are_part_of_it(tmp_path):
    file = tmp_path / "passphrase"
    file.write_bytes(b" caf\xe9 \n")
    assert passphrase_of(CertificateSettings(passphrase_file=str(file))) == b" caf\xe9 "


def test_it_is_the_first_line_that_the_command_prints():
    assert passphrase_of(python("print('secret'); print('more')")) == b"secret"


def test_no_shell_sees_the_arguments(tmp_path):
    assert passphrase_of(command(sys.executable, "-c", "import sys; print(sys.argv[1])", "$HOME; `id`")) == b"$HOME; `id`"


def test_the_command_has_nothing_to_read():
    assert passphrase_of(python("import sys; print('[' + sys.stdin.read() + ']')")) == b"[]"


def test_a_missing_file_is_named(tmp_path):
    settings = CertificateSettings(passphrase_file=str(tmp_path / "gone"))
    assert refusal(settings) == f"passphrase_file: cannot read {tmp_path}/gone: No such file or directory"


def test_an_empty_first_line_is_no_passphrase(tmp_path):
    file = tmp_path / "passphrase"
    file.write_bytes(b"\nsecret\n")
    assert refusal(CertificateSettings(passphrase_file=str(file))) == f"passphrase_file: the first line of {file} is empty"


def test_a_line_without_end_is_no_passphrase(tmp_path):
    file = tmp_path / "passphrase"
    file.write_bytes(b"x" * 5000)
    assert "is longer than 1024 bytes" in refusal(CertificateSettings(passphrase_file=str(file)))


def test_a_command_that_is_not_there_is_named():
    assert refusal(command("/no/such/program")) == "passphrase_command: cannot run /no/such/program: No such file or directory"


@pytest.mark.parametrize(
    ("code", "ending"),
    [("print('secret'); raise SystemExit(3)", "exit code 3"), ("import os; os.kill(os.getpid(), 9)", "signal 9")],
)
def test_what_a_failing_command_printed_is_neither_taken_nor_told(code, ending):
    assert refusal(python(code)) == f"passphrase_command: {sys.executable} ended with {ending}"


def test_a_command_that_does_not_end_is_ended_and_what_it_printed_is_not_told(monkeypatch):
    monkeypatch.setattr(passphrase, "_PATIENCE_SECONDS", 0.2)
    settings = python("import time; print('secret', flush=True); time.sleep(60)")
    with pytest.raises(NoPassphrase, match=r"did not end within 0\.2 seconds") as error:
        passphrase_of(settings)
    assert error.value.__cause__ is None
    assert "secret" not in str(error.value)
