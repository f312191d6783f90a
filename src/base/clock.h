/* clock.h - what time it is, and times as text.
 *
 * Everything asks here, so that tests own the time: where the build has test hooks and the environment names
 * CALLREEL_TEST_CLOCK=FILE, the first 8 bytes of that file (a native int64_t of milliseconds, mapped shared) are
 * added to both clocks, in every process that maps it. Other builds ignore it.
 * Thread rule: any thread. */
#pragma once

#include <stdint.h>

#include "base/str.h"

enum { DATE_TEXT_SIZE = 64 };

int64_t clock_now_ms(void);  /* wall clock: milliseconds since 1970-01-01 UTC */
int64_t clock_mono_ms(void); /* never goes back; meaningful within this process only */
int64_t clock_mono_us(void);
/* As clock_mono_ms, but no test moves it: for how long a call into the kernel has been under way. */
int64_t clock_kernel_ms(void);
/* How long a loop may sleep towards a deadline timeout_ms away: timeout_ms itself (negative: for ever), but where tests
 * own the time at most 20 ms, so that a clock that was moved is noticed. For epoll_wait and the like. */
int64_t clock_sleep_ms(int64_t timeout_ms);
/* For unit tests in test builds: moves both clocks of this process by delta. */
void clock_test_advance_ms(int64_t delta_ms);

/* "2026-11-21T08:00:00Z", with ".123" only where ms is no whole second (RFC 3339). */
void date_format_rfc3339(int64_t ms, char ret_text[DATE_TEXT_SIZE]);
/* "Sat, 21 Nov 2026 08:00:00 GMT" (RFC 9110 5.6.7, IMF-fixdate). */
void date_format_http(int64_t ms, char ret_text[DATE_TEXT_SIZE]);
/* "Sat, 21 Nov 2026 08:00:00 +0000" (RFC 2822 3.3, as Twilio writes it). */
void date_format_rfc2822(int64_t ms, char ret_text[DATE_TEXT_SIZE]);
CHECKED enum err date_parse_rfc3339(struct str s, int64_t *ret_ms);
/* A plain date "2026-11-21" too: its first moment, UTC. */
CHECKED enum err date_parse_time_or_date(struct str s, int64_t *ret_ms);
/* All three forms of RFC 9110 5.6.7. */
CHECKED enum err date_parse_http(struct str s, int64_t *ret_ms);
CHECKED enum err date_parse_rfc2822(struct str s, int64_t *ret_ms);
/* UTC year and month (1–12) of ms. */
void date_year_month(int64_t ms, int *ret_year, int *ret_month);
