"""Descriptor codes and the text of markers."""

from __future__ import annotations

import pytest

from ftpd.errors import TransferCut
from ftpd.ftp.wire.descriptors import check_descriptor, mark_of
from ftpd.values import Mark


@pytest.mark.parametrize("descriptor", [0, 16, 64, 80, 128, 192, 208])
def test_every_code_but_suspect_can_be_stored(descriptor: int) -> None:
    check_descriptor(descriptor, has_records=True)


@pytest.mark.parametrize("descriptor", [32, 96, 160, 48])
def test_suspect_data_is_refused_whatever_else_is_said(descriptor: int) -> None:
    with pytest.raises(TransferCut, match="suspect"):
        check_descriptor(descriptor, has_records=True)


def test_a_marker_of_255_bytes_is_read() -> None:
    assert mark_of(b"m" * 255) == Mark("m" * 255)


def test_a_longer_one_is_refused() -> None:
    with pytest.raises(TransferCut, match="A restart marker is longer than 255 bytes"):
        mark_of(b"m" * 256)
