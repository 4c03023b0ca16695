"""pyftpdlib's own functional tests pass over this server, but for those listed here, each with its reason.

The list is exact: who adds to it says why, and one that passes again fails here.  The tests are those of the pyftpdlib that is installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import Running
from tests.integration.live import CHECKOUT

SECONDS = 100.0
IN_CLEAR = (
    "TestFtpAuthentication",
    "TestFtpDummyCmds",
    "TestFtpCmdsSemantic",
    "TestFtpFsOperations",
    "TestFtpStoreData",
    "TestFtpRetrieveData",
    "TestFtpListingCmds",
    "TestFtpAbort",
    "TestIPv4Environment",
    "TestIPv6Environment",
    "TestCornerCases",
)


def over_tls(name: str) -> str:
    """Return what pyftpdlib calls the class or the test *name* of those in clear where it is run over TLS."""
    kind, point, test = name.partition(".")
    return {"TestFtpDummyCmds": "TestTFtpDummyCmds"}.get(kind, kind) + "TLSMixin" + point + test


OVER_TLS = (*map(over_tls, IN_CLEAR), "TestFTPS")

OPTIONS = "each test sets options of pyftpdlib's server, and starts it"
SAME = "the same over the wire as the class without the suffix: it is pyftpdlib's server that reads and sends in another way"
NOT_RUN = {
    "TestCallbacks": "about the methods that pyftpdlib's server calls",
    "TestConfigurableOptions": OPTIONS,
    "TestConfigurableOptionsTLSMixin": OPTIONS,
    "TestFtpRetrieveDataCustomIO": SAME,
    "TestFtpRetrieveDataNoSendfile": SAME,
    "TestFtpStoreDataNoSendfile": SAME,
    "TestFtpStoreDataWithCustomIO": SAME,
    "TestIPv6MixedEnvironment": "its server listens on every address of the machine",
    "TestThrottleBandwidth": OPTIONS,
    "TestTimeouts": OPTIONS,
    "TestTimeoutsTLSMixin": OPTIONS,
    "ThreadedFTPTests": OPTIONS,
}

ABOR = "226: nothing is under way, and the data connection, if any, is closed (RFC 959 4.1.3); 225 would say that it is open"
ACTIVE = "PORT connects nowhere: the transfer command does, and says 425 if it cannot"
ARGUMENT = "an argument that a command has no use for is passed over: devices send such"
IN_ORDER = "the answer comes after that of the transfer, since commands are answered in order; the test does not read the data while it waits"
INSIDE = "looks at the inside of pyftpdlib's server, which has no counterpart here"
NO_DATA = "425 comes first: no data connection is announced, and without one there is no transfer to refuse otherwise"
OPTION = "sets an option of pyftpdlib's server; `ftp.tls` has its like here, and tests of its own"
SERVED = "what the test wants refused is served here"
THIRD = "the login that is one too many is told so, by 421 (RFC 959 5.4); 530 would ask for another"

DIFFERENT_EITHER_WAY = {
    "TestFtpAbort.test_abor_no_data": ABOR,
    "TestFtpAbort.test_abor_pasv": ABOR,
    "TestFtpAbort.test_abor_port": ABOR,
    "TestFtpAuthentication.test_anon_auth": "the names of anonymous logins count in any case, as clients send them",
    "TestFtpAuthentication.test_auth_failed": THIRD,
    "TestFtpAuthentication.test_max_auth": THIRD,
    "TestFtpAuthentication.test_rein_during_transfer": IN_ORDER,
    "TestFtpAuthentication.test_user_during_transfer": IN_ORDER,
    "TestFtpCmdsSemantic.test_arg_cmds": NO_DATA,
    "TestFtpCmdsSemantic.test_auth_cmds": "commands that neither tell nor change anything of an account are answered before the login: ABOR, MODE, TYPE",
    "TestFtpCmdsSemantic.test_no_arg_cmds": ARGUMENT,
    "TestFtpDummyCmds.test_allo": "ALLO takes a number: 501 for `x`",
    "TestFtpDummyCmds.test_mode": f"{SERVED}: MODE B and C",
    "TestFtpDummyCmds.test_opts_feat": "facts that are not known are passed over, whether or not a semicolon ends them (RFC 3659 7.9)",
    "TestFtpDummyCmds.test_rest": f"{SERVED}: REST in TYPE A, which counts what is sent (RFC 3659 5.3)",
    "TestFtpDummyCmds.test_stru": f"{SERVED}: STRU R",
    "TestFtpDummyCmds.test_type": "TYPE L 7 is 504: bytes of seven bits are not served, and taking them for eight would change files",
    "TestFtpFsOperations.test_cwd": "CWD without a path stays where it is: cameras send an empty one",
    "TestFtpFsOperations.test_mdtm": f"{SERVED}: MDTM of a directory",
    "TestFtpFsOperations.test_size": f"{SERVED}: SIZE in TYPE A, the size as it would be sent (RFC 3659 4)",
    "TestFtpListingCmds.test_mlsd_all_facts": "a directory has no size, which is a file's (RFC 3659 7.5.7)",
    "TestFtpListingCmds.test_stat": f"{SERVED}: patterns in STAT, as in LIST",
    "TestFtpRetrieveData.test_restore_on_retr": NO_DATA,
    "TestFtpStoreData.test_quit_during_transfer": IN_ORDER,
    "TestFtpStoreData.test_rest_on_stor": NO_DATA,
    "TestFtpStoreData.test_stou_orphaned_file": NO_DATA,
    "TestCornerCases.test_active_conn_error": ACTIVE,
    "TestCornerCases.test_ioloop_fileno": INSIDE,
    "TestCornerCases.test_port_race_condition": ACTIVE,
}
DIFFERENT_IN_CLEAR = {
    **DIFFERENT_EITHER_WAY,
    "TestFtpAbort.test_oob_abor": ABOR,
    "TestFtpStoreData.test_stou": NO_DATA,
}
DIFFERENT_OVER_TLS = {
    **{over_tls(name): reason for name, reason in DIFFERENT_EITHER_WAY.items()},
    "TestFtpAuthenticationTLSMixin.test_rein": "REIN takes the TLS of AUTH off (RFC 4217 13); the test goes on under it",
    "TestFTPS.test_feat": "AUTH SSL is none of RFC 4217's: FEAT tells AUTH TLS",
    "TestFTPS.test_tls_control_required": OPTION,
    "TestFTPS.test_tls_data_required": OPTION,
}


@pytest.fixture
def told(request: pytest.FixtureRequest, running: Running, has_ipv6: bool) -> dict[str, str]:
    """Run the classes that the test names; return, by test, what was told of its failure, "" for one that passed."""
    addresses = ("127.0.0.1", *(["::1"] if has_ipv6 else []))
    listen = [{"address": address, "port": 0} for address in addresses]
    settings = {"listen": listen, "account": {"home": "/"}, "anonymous": {"enabled": True, "home": "/"}}
    names = [name for name in request.param if has_ipv6 or "IPv6" not in name]
    with running(settings) as server:
        server.add("user")
        return outcomes(server.root, [str(server.ports.get(address, 0)) for address in ("127.0.0.1", "::1")], names)


def outcomes(root: Path, ports: list[str], names: list[str]) -> dict[str, str]:
    run = subprocess.run(
        [sys.executable, "-m", "tests.integration.pyftpdlib_own.cases", *ports, *names],
        cwd=root,  # these tests make files where they run, and look for them on the server
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    rows = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    return {row["test"]: row["fault"] for row in rows}


def test_every_class_is_run_or_listed() -> None:
    code = "from tests.integration.pyftpdlib_own.cases import CLASSES; print(*CLASSES)"
    run = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=SECONDS, check=True)
    assert sorted(run.stdout.split()) == sorted((*IN_CLEAR, *OVER_TLS, *NOT_RUN))


@pytest.mark.parametrize(
    ("told", "listed"),
    [
        pytest.param(IN_CLEAR, DIFFERENT_IN_CLEAR, id="in clear"),
        pytest.param(OVER_TLS, DIFFERENT_OVER_TLS, id="over TLS"),
    ],
    indirect=["told"],
)
def test_pyftpdlibs_own_tests_pass_but_for_those_that_are_listed(told: dict[str, str], listed: dict[str, str]) -> None:
    faults = {test: fault for test, fault in told.items() if fault}
    assert {test: fault for test, fault in faults.items() if test not in listed} == {}
    assert sorted(listed.keys() - faults.keys()) == []
    assert len(told) > 80
