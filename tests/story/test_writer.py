"""One writer for all: what one business has to be written, another does not wait for; what is kept for a while has a ceiling."""
import sqlite3

from callreel import eventually

CHANGES_KEPT = 100_000


def change_quickly(world, count, business_id=1):
    """As many changes as many recordings make, at once."""
    with sqlite3.connect(world.database, timeout=20) as db:
        db.execute("""
            with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
            insert into changes (kind, business_id, id, at_ms)
            select 'call', ?, printf('CA%032x', i), ? from n""", (count, business_id, int(world.clock.now_ms())))
    db.close()


def changes(world):
    [row] = world.sql("select count(*) n, min(seq) oldest, max(seq) newest from changes")
    return row


def test_changes_keep_their_ceiling_however_quickly_they_come(world, provider):
    world.server()
    world.business(provider)
    for _ in range(3):  # within the minute after which old ones go in any case
        change_quickly(world, 60_000)
        kept = eventually(lambda: (c := changes(world))["n"] <= CHANGES_KEPT * 1.1 and c, 10, "changes are forgotten")
        assert kept["newest"] - kept["oldest"] + 1 == kept["n"]
