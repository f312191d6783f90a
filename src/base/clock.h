/* clock.h - what time it is, and times as text.
 *
 * All code reads the time here, so that tests can move it: in a build with test hooks, CALLREEL_TEST_CLOCK=FILE names a
 * file whose first 8 bytes (a native int64_t of milliseconds, mapped shared) are added to both clocks, in every process
 * that maps it. Other builds ignore the variable.
 * Thread rule: any thread. */
#pragma once

#include <stdint.h>

#include "base/str.h"

enum { DATE_TEXT_SIZE = 64 };

int64_t clock_now_ms(void);  /* wall clock: milliseconds since 1970-01-01 UTC */
int64_t clock_mono_ms(void); /* never goes back; meaningful within this process only */
int64_t clock_mono_us(void);
/* As clock_mono_ms, but tests can't move it. For measuring how long a call into the kernel takes. */
int64_t clock_kernel_ms(void);
/* How long a loop may sleep before a deadline that is timeout_ms away (negative: for ever). Returns timeout_ms, but at most
 * 20 ms where tests move the clock, so that the loop notices a move. For epoll_wait and the like. */
int64_t clock_sleep_ms(int64_t timeout_ms);
/* For unit tests in test builds: moves both clocks of this process by delta. */
void clock_test_advance_ms(int64_t delta_ms);

/* "2026-11-21T08:00:00Z", with ".123" only if ms is not a whole second (RFC 3339). */
void date_format_rfc3339(int64_t ms, char ret_text[DATE_TEXT_SIZE]);
/* "Sat, 21 Nov 2026 08:00:00 GMT" (RFC 9110 5.6.7, IMF-fixdate). */
void date_format_http(int64_t ms, char ret_text[DATE_TEXT_SIZE]);
/* "Sat, 21 Nov 2026 08:00:00 +0000" (RFC 2822 3.3, as Twilio writes it). */
void date_format_rfc2822(int64_t ms, char ret_text[DATE_TEXT_SIZE]);
CHECKED enum err date_parse_rfc3339(struct str s, int64_t *ret_ms);
/* RFC 3339, or a plain date such as "2026-11-21", which means its first moment in UTC. */
CHECKED enum err date_parse_time_or_date(struct str s, int64_t *ret_ms);
/* All three forms of RFC 9110 5.6.7. */
CHECKED enum err date_parse_http(struct str s, int64_t *ret_ms);
CHECKED enum err date_parse_rfc2822(struct str s, int64_t *ret_ms);
/* UTC year and month (1–12) of ms. */
void date_year_month(int64_t ms, int *ret_year, int *ret_month);
