/* db_clock.h - the database's clock without a connection: this process's monotonic clock, and how far the server's clock is from
 * it. All that is compared with times in rows goes by it: machines' own clocks differ.
 *
 * A connection whose database has a clock of its own (a server) tells the time that it read with a statement. Where no
 * connection does, as with SQLite, it is clock_now_ms.
 * Thread rule: any thread. */
#pragma once

#include <stdint.h>

/* Milliseconds since 1970 UTC. It may step when a connection tells a better time. */
int64_t db_clock_now_ms(void);
/* The server's clock showed server_ms between sent_mono_ms and got_mono_ms (clock_mono_ms): so it is known to half of that time.
 * A time that is known less well is not taken, unless the one before was told DB_CLOCK_HOLDS_MS ago. */
enum { DB_CLOCK_HOLDS_MS = 60 * 1000 };
void db_clock_report(int64_t server_ms, int64_t sent_mono_ms, int64_t got_mono_ms);
/* Two processes tell the same moment at most this far apart, and so does one before and after a better time is told. So a time
 * that another process, or an earlier moment, made "now and 30 s" may lie this much further ahead. A check that a stored
 * time is too far ahead to be true must allow for it. */
enum { DB_CLOCK_SLACK_MS = 30 * 1000 };
/* For unit tests: as if no connection had told the time. */
void db_clock_forget(void);
