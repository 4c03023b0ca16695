from __future__ import annotations

from ftpd.testing.dialogue import Dialogue


def test_the_one_tree_is_always_mounted():
    Dialogue(login="ann").says("SMNT /").hears(202).says("SMNT /..").hears(202)


def test_another_tree_is_550():
    Dialogue(login="ann", files={"/dir/x": b""}).says("SMNT /dir").hears(
        550, "/dir: There is one tree here, /, and nothing to mount."
    )


def test_before_the_login_it_is_530():
    Dialogue().hears(220).says("SMNT /").hears(530)


def test_without_a_path_it_is_501():
    Dialogue(login="ann").says("SMNT").hears(501)
