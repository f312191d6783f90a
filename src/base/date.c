/* date.c - times as text: RFC 3339, RFC 2822 and the three forms of RFC 9110, read strictly and written exactly.
 *
 * Invariants
 *  (1) Arithmetic is in days since 1970-01-01 of the proleptic Gregorian calendar, UTC; no time zone database, no locale.
 *  (2) A parser takes the whole text or fails: each field is in its range, the day within its month. A leap second (60)
 *      counts as 59. The weekday must be a valid name, but may be the wrong one for the date: senders get it wrong.
 *  (3) Formatting stays within the years 0001 to 9999: a time beyond is written as the nearest one within. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define MS_PER_DAY INT64_C(86400000)
#define FIRST_MS INT64_C(-62135596800000) /* 0001-01-01T00:00:00Z */
#define LAST_MS INT64_C(253402300799999)  /* 9999-12-31T23:59:59.999Z */

struct date {
  int year, month, day; /* month and day from 1 */
  int hour, minute, second;
};

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const weekdays[7] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

/* Years are counted from March here, so that the leap day is a year's last. */
static int64_t days_from_date(int year, int month, int day) {
  int64_t y = month <= 2 ? year - 1 : year;
  int64_t era = (y >= 0 ? y : y - 399) / 400;
  int64_t year_of_era = y - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int64_t floor_days(int64_t ms) {
  return (ms >= 0 ? ms : ms - MS_PER_DAY + 1) / MS_PER_DAY;
}

static void date_from_ms(int64_t ms, struct date *ret_date, int *ret_weekday) {
  if (ms < FIRST_MS) ms = FIRST_MS; /* (3) */
  if (ms > LAST_MS) ms = LAST_MS;
  int64_t days = floor_days(ms);
  int seconds = (int)((ms - days * MS_PER_DAY) / 1000);
  int64_t z = days + 719468;
  int64_t era = z / 146097; /* z is positive from year 1 on */
  int64_t day_of_era = z - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t month = (5 * day_of_year + 2) / 153;
  ret_date->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
  ret_date->month = (int)(month < 10 ? month + 3 : month - 9);
  ret_date->year = (int)(year_of_era + era * 400 + (ret_date->month <= 2));
  ret_date->hour = seconds / 3600;
  ret_date->minute = seconds / 60 % 60;
  ret_date->second = seconds % 60;
  *ret_weekday = (int)(((days + 4) % 7 + 7) % 7);
}

void date_format_rfc3339(int64_t ms, char ret_text[DATE_TEXT_SIZE]) {
  struct date d;
  int weekday;
  date_from_ms(ms, &d, &weekday);
  int part = (int)((ms % 1000 + 1000) % 1000);
  int n = snprintf(ret_text, DATE_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", d.year, d.month, d.day, d.hour, d.minute,
                   d.second);
  char *end = ret_text + n;
  size_t room = DATE_TEXT_SIZE - (size_t)n;
  (void)(part ? snprintf(end, room, ".%03dZ", part) : snprintf(end, room, "Z")); /* fits: (3) */
}

static void format_named(int64_t ms, const char *zone, char ret_text[DATE_TEXT_SIZE]) {
  struct date d;
  int weekday;
  date_from_ms(ms, &d, &weekday);
  (void)snprintf(ret_text, DATE_TEXT_SIZE, "%.3s, %02d %s %04d %02d:%02d:%02d %s", weekdays[weekday], d.day,
                 months[d.month - 1], d.year, d.hour, d.minute, d.second, zone); /* fits: (3) */
}

void date_format_http(int64_t ms, char ret_text[DATE_TEXT_SIZE]) {
  format_named(ms, "GMT", ret_text);
}

void date_format_rfc2822(int64_t ms, char ret_text[DATE_TEXT_SIZE]) {
  format_named(ms, "+0000", ret_text);
}

void date_year_month(int64_t ms, int *ret_year, int *ret_month) {
  struct date d;
  int weekday;
  date_from_ms(ms, &d, &weekday);
  *ret_year = d.year;
  *ret_month = d.month;
}

/* Readers: each removes what it reads from the front of *s; or leaves *s unchanged and returns false. */

static bool take_char(struct str *s, char c) {
  if (s->n == 0 || s->p[0] != c) return false;
  *s = str_skip(*s, 1);
  return true;
}

static bool take_number(struct str *s, size_t least_digits, size_t most_digits, int *ret_number) {
  size_t n = 0;
  int number = 0;
  while (n < s->n && n < most_digits && s->p[n] >= '0' && s->p[n] <= '9') number = number * 10 + (s->p[n++] - '0');
  if (n < least_digits) return false;
  *s = str_skip(*s, n);
  *ret_number = number;
  return true;
}

static bool take_month(struct str *s, int *ret_month) {
  for (int i = 0; i < 12; i++) {
    if (!str_starts_nocase(*s, str_of(months[i], 3))) continue;
    *s = str_skip(*s, 3);
    *ret_month = i + 1;
    return true;
  }
  return false;
}

static bool take_weekday(struct str *s, bool whole_name) {
  for (int i = 0; i < 7; i++) {
    struct str name = str_of(weekdays[i], whole_name ? strlen(weekdays[i]) : 3);
    if (!str_starts_nocase(*s, name)) continue;
    *s = str_skip(*s, name.n);
    return true;
  }
  return false;
}

static bool take_time(struct str *s, struct date *d) {
  return take_number(s, 2, 2, &d->hour) && take_char(s, ':') && take_number(s, 2, 2, &d->minute) && take_char(s, ':') &&
         take_number(s, 2, 2, &d->second);
}

static bool take_iso_date(struct str *s, struct date *d) {
  return take_number(s, 4, 4, &d->year) && take_char(s, '-') && take_number(s, 2, 2, &d->month) && take_char(s, '-') &&
         take_number(s, 2, 2, &d->day);
}

static int days_in_month(int year, int month) {
  static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[month - 1] + (month == 2 && leap);
}

/* The one place that checks ranges (2). */
static enum err ms_from_date(const struct date *d, int part_ms, int zone_minutes, int64_t *ret_ms) {
  if (d->year < 1 || d->year > 9999 || d->month < 1 || d->month > 12) return ERR_INVALID;
  if (d->day < 1 || d->day > days_in_month(d->year, d->month)) return ERR_INVALID;
  if (d->hour > 23 || d->minute > 59 || d->second > 60) return ERR_INVALID;
  int second = d->second == 60 ? 59 : d->second;
  int64_t seconds = (int64_t)d->hour * 3600 + (d->minute - zone_minutes) * 60 + second;
  *ret_ms = days_from_date(d->year, d->month, d->day) * MS_PER_DAY + seconds * 1000 + part_ms;
  return OK;
}

/* ±hh:mm, or ±hhmm where separator is 0. */
static bool take_offset(struct str *s, char separator, int *ret_minutes) {
  struct str rest = *s;
  int hours, minutes;
  bool west = take_char(&rest, '-');
  if (!west && !take_char(&rest, '+')) return false;
  if (!take_number(&rest, 2, 2, &hours) || (separator && !take_char(&rest, separator))) return false;
  if (!take_number(&rest, 2, 2, &minutes) || hours > 23 || minutes > 59) return false;
  *s = rest;
  *ret_minutes = (hours * 60 + minutes) * (west ? -1 : 1);
  return true;
}

/* The fraction after a '.': its first three digits count. */
static bool take_fraction(struct str *s, int *ret_part_ms) {
  size_t n = 0;
  int part_ms = 0;
  for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
    if (n < 3) part_ms = part_ms * 10 + (s->p[n] - '0');
  }
  if (n == 0) return false;
  for (size_t i = n; i < 3; i++) part_ms *= 10;
  *s = str_skip(*s, n);
  *ret_part_ms = part_ms;
  return true;
}

enum err date_parse_rfc3339(struct str s, int64_t *ret_ms) {
  struct date d;
  int part_ms = 0, zone_minutes = 0;
  if (!take_iso_date(&s, &d) || (!take_char(&s, 'T') && !take_char(&s, 't')) || !take_time(&s, &d)) return ERR_INVALID;
  if (take_char(&s, '.') && !take_fraction(&s, &part_ms)) return ERR_INVALID;
  if (!take_char(&s, 'Z') && !take_char(&s, 'z') && !take_offset(&s, ':', &zone_minutes)) return ERR_INVALID;
  return s.n ? ERR_INVALID : ms_from_date(&d, part_ms, zone_minutes, ret_ms);
}

enum err date_parse_time_or_date(struct str s, int64_t *ret_ms) {
  struct date d = {0};
  struct str rest = s;
  if (!take_iso_date(&rest, &d)) return ERR_INVALID;
  return rest.n ? date_parse_rfc3339(s, ret_ms) : ms_from_date(&d, 0, 0, ret_ms);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool take_imf_fixdate(struct str s, struct date *d) {
  return take_weekday(&s, false) && take_char(&s, ',') && take_char(&s, ' ') && take_number(&s, 2, 2, &d->day) &&
         take_char(&s, ' ') && take_month(&s, &d->month) && take_char(&s, ' ') && take_number(&s, 4, 4, &d->year) &&
         take_char(&s, ' ') && take_time(&s, d) && str_eq(s, STR(" GMT"));
}

/* "Sunday, 06-Nov-94 08:49:37 GMT": a year more than 50 years ahead is in the century before (RFC 9110 5.6.7). */
static bool take_rfc850(struct str s, struct date *d) {
  bool fits = take_weekday(&s, true) && take_char(&s, ',') && take_char(&s, ' ') && take_number(&s, 2, 2, &d->day) &&
              take_char(&s, '-') && take_month(&s, &d->month) && take_char(&s, '-') &&
              take_number(&s, 2, 2, &d->year) && take_char(&s, ' ') && take_time(&s, d) && str_eq(s, STR(" GMT"));
  if (!fits) return false;
  int year, month;
  date_year_month(clock_now_ms(), &year, &month);
  d->year += year / 100 * 100;
  if (d->year > year + 50) d->year -= 100;
  return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool take_asctime(struct str s, struct date *d) {
  if (!take_weekday(&s, false) || !take_char(&s, ' ') || !take_month(&s, &d->month) || !take_char(&s, ' '))
    return false;
  bool one_digit = take_char(&s, ' ');
  return take_number(&s, one_digit ? 1 : 2, one_digit ? 1 : 2, &d->day) && take_char(&s, ' ') && take_time(&s, d) &&
         take_char(&s, ' ') && take_number(&s, 4, 4, &d->year) && s.n == 0;
}

enum err date_parse_http(struct str s, int64_t *ret_ms) {
  struct date d;
  if (!take_imf_fixdate(s, &d) && !take_rfc850(s, &d) && !take_asctime(s, &d)) return ERR_INVALID;
  return ms_from_date(&d, 0, 0, ret_ms);
}

static bool take_blanks(struct str *s) {
  size_t before = s->n;
  while (take_char(s, ' ') || take_char(s, '\t')) continue;
  return s->n < before;
}

static bool take_named_zone(struct str *s) {
  static const char *const names[] = {"GMT", "UTC", "UT", "Z"};
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    if (!str_eq_nocase(*s, str_from(names[i]))) continue;
    *s = STR_NONE;
    return true;
  }
  return false;
}

enum err date_parse_rfc2822(struct str s, int64_t *ret_ms) {
  struct date d = {0};
  int zone_minutes = 0;
  s = str_trim(s);
  if (take_weekday(&s, false)) {
    if (!take_char(&s, ',')) return ERR_INVALID;
    (void)take_blanks(&s); /* optional here */
  }
  bool fits = take_number(&s, 1, 2, &d.day) && take_blanks(&s) && take_month(&s, &d.month) && take_blanks(&s) &&
              take_number(&s, 4, 4, &d.year) && take_blanks(&s) && take_number(&s, 2, 2, &d.hour) &&
              take_char(&s, ':') && take_number(&s, 2, 2, &d.minute);
  if (!fits || (take_char(&s, ':') && !take_number(&s, 2, 2, &d.second)) || !take_blanks(&s)) return ERR_INVALID;
  if (!take_offset(&s, 0, &zone_minutes) && !take_named_zone(&s)) return ERR_INVALID;
  return s.n ? ERR_INVALID : ms_from_date(&d, 0, zone_minutes, ret_ms);
}
