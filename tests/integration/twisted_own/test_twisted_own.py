"""Twisted's own tests of its FTP server pass over ours, but for those listed here, each with its reason.

The list is exact: who adds to it says why, and one that passes again fails here.  The tests are those of the Twisted that is installed.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.integration.live import CHECKOUT

BASIC = "BasicFTPServerTests"
CLIENT = "FTPServerAdvancedClientTests"
DATA = tuple(f"FTPServer{kind}DataConnectionTests" for kind in ("Pasv", "IPv4MappedPasv", "Epsv", "Port", "Eprt"))
CLASSES = ("FTPAnonymousTests", BASIC, CLIENT, *DATA)
SECONDS = 300.0

INSIDE = "looks at the inside of Twisted's server, which has no counterpart here"
EPSV_ALL = "the port 0 in it is 501 before anything else; other ports are 503"
NO_DATA = "425 is what RFC 959 5.4 has for a transfer without a data connection; 503 is not among its replies"
DIRECTORY = "NLST of a directory that is named tells names that can be given to RETR (RFC 1123 4.1.3.6)"
ROWS = (
    "rows are those of ls -l, whose columns clients know: at least one link, the day of the month in two columns, no zero before it"
)

DIFFERENT = {
    f"{BASIC}.test_BadCommandArgs": "MODE Z is known here; STRU I is 504 as there",
    f"{BASIC}.test_EPSVALLBeforeEPRT": EPSV_ALL,
    f"{BASIC}.test_EPSVALLBeforePORT": EPSV_ALL,
    f"{BASIC}.test_EPSVWithBadProtocol": "what is no known protocol is 522, a number or not (RFC 2428 3)",
    f"{BASIC}.test_EPSVWithProtocol": "EPSV 2 over an IPv4 control connection is 522 (RFC 2428 3); Twisted opens a port that nobody asked for",
    f"{BASIC}.test_FEAT": "FEAT has extensions, and not what RFC 959 had from the start (RFC 2389 3.2)",
    f"{BASIC}.test_NoParamsForPASS": "an empty password is a password, and a wrong one here: 530",
    f"{BASIC}.test_NoParamsForUSER": "501, the code for arguments (RFC 959 4.2); 500 is for unknown commands",
    f"{BASIC}.test_NotLoggedInReply": "commands that tell nothing are answered before the login, SYST among them; a missing argument is 501 at any time",
    f"{BASIC}.test_OPTS": "an option that is not known is 501 (RFC 2389 4)",
    f"{BASIC}.test_PASVDeniedIfIPv6": "425, upon which clients try EPSV; 502 says that PASV is never there",
    f"{BASIC}.test_RETRBeforePORT": NO_DATA,
    f"{BASIC}.test_RNFRwithoutRNTO": "RNFR of what is missing is 550 at once, and does not lock the session until RNTO",
    f"{BASIC}.test_STORBeforePORT": NO_DATA,
    f"{BASIC}.test_STORreturnsErrorFromOpen": "553 is what RFC 959 5.4 has for STOR to a name that cannot be used; 550 is not among its replies",
    f"{BASIC}.test_STORunknownErrorBecomesFileNotFound": "an error that nobody foresaw is 451, try again, and not that the file is missing",
    f"{BASIC}.test_UnknownCommand": "500 for what is no command; 502 for one of the standards that is not served (RFC 959 4.2.1)",
    f"{BASIC}.test_loginError": "PASS knows no 550 (RFC 959 5.4): a portal that breaks is 530, and its error is logged",
    f"{BASIC}.test_portRange": INSIDE,
    f"{BASIC}.test_portRangeForwardError": INSIDE,
    f"{CLIENT}.test_RETRreadError": "`stat` is asked first, and the shell of this test knows no such file",
    f"{CLIENT}.test_STORtransferErrorIsReturned": "an error with a reply code of its own is an answer: it is not logged as a fault",
    f"{CLIENT}.test_STORunknownTransferErrorBecomesAbort": "426 says that the connection was at fault (RFC 959 4.2); what broke is the server: 451",
    f"{CLIENT}.test_anonymousSTOR": "553, as above",
    "FTPServerPortDataConnectionTests.test_PORTCannotConnect": "PORT connects nowhere: the transfer command does, and says 425",
    "FTPServerEprtDataConnectionTests.test_EPRTCannotConnect": "EPRT connects nowhere: the transfer command does, and says 425",
    **{f"{name}.test_{test}": ROWS for name in DATA for test in ("LISTUnicode", "LISTNonASCIIBytes")},
    **{f"{name}.test_{test}": DIRECTORY for name in DATA for test in ("NLSTUnicode", "NLSTNonASCIIBytes")},
    **{f"{name}.test_NLSTNonexistent": "550: an empty list would say that there is a directory" for name in DATA},
}


def outcomes(name, folder):
    """Run the class called *name* in a process of its own; return what was told of each test."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.integration.twisted_own.cases", name],
        cwd=folder,  # trial's tests make directories
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def test_every_class_that_speaks_to_a_server_is_run():
    code = "from tests.integration.twisted_own.cases import OVER_THE_WIRE; print(*OVER_THE_WIRE)"
    run = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=SECONDS, check=True)
    assert sorted(run.stdout.split()) == sorted(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_twisteds_own_tests_pass_but_for_those_that_are_listed(name, tmp_path):
    told = outcomes(name, tmp_path)
    faults = {row["test"]: row["fault"] for row in told if row["fault"]}
    skipped = {row["test"] for row in told if "IPv" in row["skipped"]}  # what this machine does not have
    listed = {test for test in DIFFERENT if test.startswith(f"{name}.")} - skipped
    assert {test: faults[test] for test in faults.keys() - listed} == {}
    assert sorted(listed - faults.keys()) == []
    assert {row["test"] for row in told} >= listed
