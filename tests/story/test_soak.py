"""The soak for a few seconds, without faults that need a back-off. script/soak runs it for minutes."""
import pytest

import soak

QUICK = [["not_yet:1"], ["redirect:1"], ["slow:20000"], ["stall:1"], ["no_length"], ["dup", "shuffle"], ["late:1"]]


@pytest.mark.sanitized
@pytest.mark.threads
@pytest.mark.plain
def test_a_short_life_with_kills_holds_what_is_promised(world):
    wrong, told = soak.soak(world, 10, seed=7, faults=QUICK)
    assert wrong == [], told
