"""What the doctor's sentences look like."""

from __future__ import annotations

from ftpd.doctor.finding import fault, good, note, report, warning


def test_a_cure_stands_below_what_it_is_for():
    findings = [good("EPSV works"), note("A."), warning("Few ports.", "Take more."), fault("Closed.", "Open it.")]
    assert list(report(findings)) == [
        "ok       EPSV works",
        "note     A.",
        "warning  Few ports.",
        "         Take more.",
        "fault    Closed.",
        "         Open it.",
    ]
