"""The soak on PostgreSQL for some seconds. script/soak --postgres runs it for minutes."""
import pytest

import postgres
import soak_postgres
from test_soak import QUICK

pytestmark = pytest.mark.skipif(not postgres.SERVER, reason="CALLREEL_TEST_POSTGRES names no server (script/test postgres starts one)")


def test_a_short_life_with_kills_and_a_failover_holds_what_is_promised(tmp_path):
    wrong, told = soak_postgres.soak(tmp_path, 12, 7, QUICK)
    assert wrong == [], told
