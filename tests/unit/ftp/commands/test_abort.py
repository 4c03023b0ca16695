from __future__ import annotations

from ftpd.testing.dialogue import Dialogue


def test_abor_is_226():
    Dialogue(login="ann").says("ABOR").hears(226, "Abort processed.").hears_nothing()


def test_abor_before_login_is_226():
    Dialogue().hears(220).says("ABOR").hears(226)


def test_abor_closes_a_prepared_data_connection_the_client_has_made():
    dialogue = Dialogue(login="ann").says("EPSV").hears(229).connects().says("ABOR").hears(226)
    assert dialogue.connection.is_closed


def test_epsv_all_survives_an_abor():
    Dialogue(login="ann").says("EPSV ALL").hears(200).says("ABOR").hears(226).says("PASV").hears(503)
