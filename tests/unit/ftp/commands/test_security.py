from __future__ import annotations

import pytest

from ftpd.testing.dialogue import Dialogue


@pytest.mark.parametrize("mechanism", ["TLS", "SSL", "TLS-C", "TLS-P", "GSSAPI"])
def test_auth_is_504(mechanism):
    Dialogue().hears(220).says(f"AUTH {mechanism}").hears(504).says("USER ann").hears(331)


def test_auth_without_a_mechanism_is_501():
    Dialogue().hears(220).says("AUTH").hears(501)


@pytest.mark.parametrize("line", ["PBSZ 0", "PROT P", "PROT C"])
def test_before_auth_it_is_503(line):
    Dialogue(login="ann").says(line).hears(503)


def test_ccc_is_533():
    Dialogue(login="ann").says("CCC").hears(533)


@pytest.mark.parametrize("line", ["ADAT x", "MIC x", "CONF x", "ENC x"])
def test_other_security_commands_are_502(line):
    Dialogue(login="ann").says(line).hears(502)


def test_feat_advertises_no_security():
    dialogue = Dialogue().hears(220).says("FEAT").hears(211)
    assert [line for line in dialogue.last.lines if line.split()[0] in ("AUTH", "PBSZ", "PROT", "CCC")] == []
