/* metric.h - the counters, gauges and histograms that Prometheus reads. Each is one row of metric.def: kind, name, labels,
 * help.
 *
 *   metric_add(METRIC_PLAYS, METRIC_PLAY_HIT, 1);
 *   metric_observe(METRIC_FILL_SECONDS, us);
 *   metric_write(&buf);   … text/plain; version=0.0.4 …
 *
 * Every series exists from the start: counters at 0, gauges once they were set. A label's value is an index into its closed
 * list, so no text from outside can become one. If a list follows another enum, the index is that enum's value.
 * Thread rule: any thread, without a lock; metric_on_scrape and metric_off_scrape while no scrape runs. */
#pragma once

#include "base/buf.h"

/* enum metric_label_PLAY { METRIC_PLAY_HIT, … METRIC_PLAY_COUNT_ } … */
#define V(set, name, text) METRIC_##set##_##name,
#define LABEL(set, label, values) enum metric_label_##set{values METRIC_##set##_COUNT_};
#include "base/metric.def"
#undef LABEL
#undef V

enum metric {
#define COUNTER(name, ...) METRIC_##name,
#define LEVEL(name, ...) METRIC_##name,
#define GAUGE(name, ...) METRIC_##name,
#define READING(name, ...) METRIC_##name,
#define HISTOGRAM(name, ...) METRIC_##name,
#include "base/metric.def"
#undef COUNTER
#undef LEVEL
#undef GAUGE
#undef READING
#undef HISTOGRAM
  METRIC_COUNT_
};

#define METRIC_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum { METRIC_TEXT_MAX = 256 * 1024, METRIC_SCRAPES_MAX = 16 };

/* Of a COUNTER (n >= 0) or LEVEL. label: an index into the metric's first set; 0 where it has none. */
void metric_add(enum metric m, unsigned label, int64_t n);
/* The same with two labels. */
void metric_add_two(enum metric m, unsigned first, unsigned second, int64_t n);
/* Of a GAUGE or READING. */
void metric_set(enum metric m, unsigned label, double value);
/* Marks a GAUGE as unknown: its series are left out until they are set again. */
void metric_forget(enum metric m);
/* Of a HISTOGRAM; a negative duration counts as 0. label: as in metric_add. */
void metric_observe_of(enum metric m, unsigned label, int64_t duration_us);
void metric_observe(enum metric m, int64_t duration_us); /* of one without a label */

/* Calls fn before each metric_write, to set gauges that are cheap to read. ERR_FULL past METRIC_SCRAPES_MAX. */
typedef void metric_scrape_fn(void *arg);
CHECKED enum err metric_on_scrape(metric_scrape_fn *fn, void *arg);
void metric_off_scrape(metric_scrape_fn *fn, void *arg); /* ignores an unknown pair */

/* Appends all series in Prometheus' text format 0.0.4. */
CHECKED enum err metric_write(struct buf *b);

/* The values of HTTP_CODE and HTTP_CLASS for a status; of HTTP_CODE 0 is "there was no answer". */
unsigned metric_http_code(int status);
unsigned metric_http_class(int status);
/* For tests, and for tables that must agree with another enum: the text of a value, NULL past the list's end. */
const char *metric_label_text(enum metric m, unsigned which_set, unsigned value);
/* The present value of a COUNTER or LEVEL. */
int64_t metric_read(enum metric m, unsigned first, unsigned second);

/* metric_process.c: sets the process' own gauges at each scrape from now on. */
CHECKED enum err metric_process_watch(void);
