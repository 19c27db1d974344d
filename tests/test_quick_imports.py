"""The collector rests while libraries are imported, and is as before afterwards."""

import gc

import pytest

from infinipot_cli.quick_imports import without_collecting


def importing() -> None:
    with without_collecting():
        assert not gc.isenabled()
        raise ImportError


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_collector_is_as_before_even_after_a_failure(was_enabled: bool) -> None:
    before = gc.isenabled()
    try:
        gc.enable() if was_enabled else gc.disable()
        with pytest.raises(ImportError):
            importing()
        assert gc.isenabled() is was_enabled
    finally:
        gc.enable() if before else gc.disable()
        gc.unfreeze()
