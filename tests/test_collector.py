"""The garbage collector is set aside for a block, and afterwards it is as it was."""

import gc

import pytest

from ledger.collector import without_collector


def test_it_is_off_within_and_on_again_even_after_an_error() -> None:
    within: list[bool] = []

    def fail() -> None:
        with without_collector():
            within.append(gc.isenabled())
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert within == [False]
    assert gc.isenabled()


def test_where_it_was_off_it_stays_off() -> None:
    gc.disable()
    try:
        with without_collector():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
