/* metric.c - counts without shared cache lines, and writes the sums as text.
 *
 *   thread --metric_add--> its shard's cell      metric_write: each series is the sum of its cells over all shards
 *   any thread --metric_set--> the series' only cell
 *
 * Invariants
 *  (1) A thread adds to one shard for its life, so threads that run at the same time touch no common cache line as long as
 *      there are no more of them than shards; with more, two threads share one, and the sums are still right.
 *  (2) A cell of a counter only grows, and so does the sum that a reader sees, even while threads add. A reader may
 *      see a level between two threads' changes: a sum below 0 is shown as 0.
 *  (3) A histogram's count is the sum of the buckets that were read, so that its +Inf bucket always equals it.
 *  (4) A set cell holds the bits of a double, with those of UNSET for "unknown".
 *  (5) The cells of a metric are fixed at compile time, from the table: offsets are members of `struct cells`. */
#include "base/metric.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { SHARDS = 32, LINE = 64 };

/* Upper bounds in microseconds, growing; past the last is +Inf. */
static const int64_t LONG_BOUNDS[] = {250000,   500000,   1000000,   2500000,   5000000,  10000000,
                                      30000000, 60000000, 120000000, 300000000, 600000000};
static const int64_t SHORT_BOUNDS[] = {100,   250,    500,    1000,   2500,    5000,    10000,  25000,
                                       50000, 100000, 250000, 500000, 1000000, 2500000, 5000000};

enum kind { KIND_COUNTER, KIND_LEVEL, KIND_GAUGE, KIND_READING, KIND_HISTOGRAM };

struct label_set {
  const char *label;
  const char *const *texts;
  unsigned count;
};

#define V(set, name, text) text,
#define LABEL(set, label, values) static const char *const texts_##set[] = {values};
#include "base/metric.def"
#undef LABEL
#undef V
#define LABEL(set, label, values) static const struct label_set set_##set = {label, texts_##set, COUNT_OF(texts_##set)};
#include "base/metric.def"
#undef LABEL

/* The cells that are added to, of one shard (5). */
struct cells {
#define COUNTER(name, text, first, second, help) uint64_t name[METRIC_##first##_COUNT_ * METRIC_##second##_COUNT_];
#define LEVEL(name, text, first, second, help) COUNTER(name, text, first, second, help)
#define GAUGE(name, ...)
#define READING(name, ...)
/* A group of cells for each value of the label; its last is the sum in microseconds. */
#define HISTOGRAM(name, text, bounds, first, help) uint64_t name[(COUNT_OF(bounds) + 2) * METRIC_##first##_COUNT_];
#include "base/metric.def"
#undef COUNTER
#undef LEVEL
#undef GAUGE
#undef READING
#undef HISTOGRAM
};

/* The cells that are set, one for all threads. */
struct set_cells {
#define COUNTER(name, ...)
#define LEVEL(name, ...)
#define GAUGE(name, text, first, second, help) uint64_t name[METRIC_##first##_COUNT_ * METRIC_##second##_COUNT_];
#define READING(name, text, first, second, help) GAUGE(name, text, first, second, help)
#define HISTOGRAM(name, ...)
#include "base/metric.def"
#undef COUNTER
#undef LEVEL
#undef GAUGE
#undef READING
#undef HISTOGRAM
};

struct metric_row {
  const char *name, *help;
  const struct label_set *first, *second;
  const int64_t *bounds; /* of a histogram */
  unsigned bound_count;
  enum kind kind;
  size_t cell; /* index of its first */
};

#define ROW(kind_, cells_, name_, text_, first_, second_, help_) \
  {.name = "callreel_" text_,                                    \
   .help = help_,                                                \
   .first = &set_##first_,                                       \
   .second = &set_##second_,                                     \
   .kind = kind_,                                                \
   .cell = offsetof(struct cells_, name_) / sizeof(uint64_t)},
static const struct metric_row rows[METRIC_COUNT_] = {
#define COUNTER(...) ROW(KIND_COUNTER, cells, __VA_ARGS__)
#define LEVEL(...) ROW(KIND_LEVEL, cells, __VA_ARGS__)
#define GAUGE(...) ROW(KIND_GAUGE, set_cells, __VA_ARGS__)
#define READING(...) ROW(KIND_READING, set_cells, __VA_ARGS__)
#define HISTOGRAM(name_, text_, bounds_, first_, help_) \
  {.name = "callreel_" text_,                           \
   .help = help_,                                       \
   .first = &set_##first_,                              \
   .second = &set_NONE,                                 \
   .bounds = bounds_,                                   \
   .bound_count = COUNT_OF(bounds_),                    \
   .kind = KIND_HISTOGRAM,                              \
   .cell = offsetof(struct cells, name_) / sizeof(uint64_t)},
#include "base/metric.def"
#undef COUNTER
#undef LEVEL
#undef GAUGE
#undef READING
#undef HISTOGRAM
};

enum { ADDED_CELLS = sizeof(struct cells) / sizeof(uint64_t), SET_CELLS = sizeof(struct set_cells) / sizeof(uint64_t) };

static struct { _Alignas(LINE) _Atomic uint64_t cells[ADDED_CELLS]; } shards[SHARDS];
static _Atomic uint64_t set_values[SET_CELLS]; /* the double's bits xor UNSET, so that zeroed memory is unset (4) */
#define UNSET UINT64_C(0x7ff8ca11beefcafe)     /* a NaN that no arithmetic makes */

static struct {
  metric_scrape_fn *fn;
  void *arg;
} scrapes[METRIC_SCRAPES_MAX];
static unsigned scrape_count;

/* ---- counting ---- */

static _Atomic uint64_t *own_cells(void) {
  static atomic_uint threads;
  static _Thread_local _Atomic uint64_t *own;
  if (!own) own = shards[atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % SHARDS].cells;
  return own;
}

static void add_to(size_t cell, uint64_t n) {
  atomic_fetch_add_explicit(own_cells() + cell, n, memory_order_relaxed);
}

static size_t cell_of(const struct metric_row *row, unsigned first, unsigned second) {
  assert(first < row->first->count && second < row->second->count);
  return row->cell + first * row->second->count + second;
}

void metric_add_two(enum metric m, unsigned first, unsigned second, int64_t n) {
  const struct metric_row *row = &rows[m];
  assert(row->kind == KIND_LEVEL || (row->kind == KIND_COUNTER && n >= 0));
  add_to(cell_of(row, first, second), (uint64_t)n);
}

void metric_add(enum metric m, unsigned label, int64_t n) {
  metric_add_two(m, label, 0, n);
}

/* The first cell of a histogram for a value of its label. */
static size_t histogram_of(const struct metric_row *row, unsigned label) {
  assert(row->kind == KIND_HISTOGRAM && label < row->first->count);
  return row->cell + (size_t)label * (row->bound_count + 2);
}

void metric_observe_of(enum metric m, unsigned label, int64_t duration_us) {
  const struct metric_row *row = &rows[m];
  size_t cell = histogram_of(row, label);
  if (duration_us < 0) duration_us = 0;
  unsigned bucket = 0;
  while (bucket < row->bound_count && duration_us > row->bounds[bucket]) bucket++;
  add_to(cell + bucket, 1);
  add_to(cell + row->bound_count + 1, (uint64_t)duration_us);
}

void metric_observe(enum metric m, int64_t duration_us) {
  metric_observe_of(m, 0, duration_us);
}

static void cell_store(size_t cell, uint64_t bits) {
  atomic_store_explicit(&set_values[cell], bits ^ UNSET, memory_order_relaxed);
}

void metric_set(enum metric m, unsigned label, double value) {
  const struct metric_row *row = &rows[m];
  assert(row->kind == KIND_GAUGE || row->kind == KIND_READING);
  uint64_t bits;
  memcpy(&bits, &value, sizeof(bits));
  cell_store(cell_of(row, label, 0), isnan(value) ? UNSET : bits);
}

void metric_forget(enum metric m) {
  const struct metric_row *row = &rows[m];
  assert(row->kind == KIND_GAUGE);
  for (unsigned i = 0; i < row->first->count * row->second->count; i++) cell_store(row->cell + i, UNSET);
}

/* ---- reading ---- */

static uint64_t sum_of(size_t cell) {
  uint64_t sum = 0;
  for (unsigned i = 0; i < SHARDS; i++) sum += atomic_load_explicit(&shards[i].cells[cell], memory_order_relaxed);
  return sum;
}

int64_t metric_read(enum metric m, unsigned first, unsigned second) {
  const struct metric_row *row = &rows[m];
  assert(row->kind == KIND_COUNTER || row->kind == KIND_LEVEL);
  int64_t n = (int64_t)sum_of(cell_of(row, first, second));
  return n < 0 ? 0 : n; /* (2) */
}

const char *metric_label_text(enum metric m, unsigned which_set, unsigned value) {
  const struct label_set *set = which_set == 0 ? rows[m].first : rows[m].second;
  return value < set->count ? set->texts[value] : NULL;
}

unsigned metric_http_code(int status) {
  if (status == 0) return METRIC_HTTP_CODE_NO_ANSWER;
  for (unsigned i = 1; i < METRIC_HTTP_CODE_OTHER; i++) {
    const char *t = texts_HTTP_CODE[i];
    if ((t[0] - '0') * 100 + (t[1] - '0') * 10 + (t[2] - '0') == status) return i;
  }
  return METRIC_HTTP_CODE_OTHER;
}

unsigned metric_http_class(int status) {
  int class = status / 100;
  return class < 1 || class > 5 ? METRIC_HTTP_CLASS_5XX : (unsigned)(class - 1);
}

enum err metric_on_scrape(metric_scrape_fn *fn, void *arg) {
  if (scrape_count == METRIC_SCRAPES_MAX) return ERR_FULL;
  scrapes[scrape_count].fn = fn;
  scrapes[scrape_count].arg = arg;
  scrape_count++;
  return OK;
}

void metric_off_scrape(metric_scrape_fn *fn, void *arg) {
  unsigned kept = 0;
  for (unsigned i = 0; i < scrape_count; i++)
    if (scrapes[i].fn != fn || scrapes[i].arg != arg) scrapes[kept++] = scrapes[i];
  scrape_count = kept;
}

/* ---- writing ---- */

/* text with what the format escapes: '\' and the line's end, in a label's value '"' too. */
static enum err add_escaped(struct buf *b, const char *text, bool quoted) {
  for (; *text; text++) {
    if (*text == '\n') {
      TRY(buf_add(b, STR("\\n")));
      continue;
    }
    if (*text == '\\' || (quoted && *text == '"')) TRY(buf_add_char(b, '\\'));
    TRY(buf_add_char(b, *text));
  }
  return OK;
}

static enum err add_head(struct buf *b, const struct metric_row *row) {
  static const char *const types[] = {[KIND_COUNTER] = "counter",
                                      [KIND_LEVEL] = "gauge",
                                      [KIND_GAUGE] = "gauge",
                                      [KIND_READING] = "counter",
                                      [KIND_HISTOGRAM] = "histogram"};
  TRY(buf_addf(b, "# HELP %s ", row->name));
  TRY(add_escaped(b, row->help, false));
  return buf_addf(b, "\n# TYPE %s %s\n", row->name, types[row->kind]);
}

static enum err add_label(struct buf *b, const struct label_set *set, unsigned value, bool *among) {
  if (set == &set_NONE) return OK;
  TRY(buf_addf(b, "%s%s=\"", *among ? "," : "{", set->label));
  TRY(add_escaped(b, set->texts[value], true));
  *among = true;
  return buf_add_char(b, '"');
}

/* The line up to its value: name{label="value"} */
static enum err add_series(struct buf *b, const struct metric_row *row, unsigned first, unsigned second) {
  bool among = false;
  TRY(buf_add(b, str_from(row->name)));
  TRY(add_label(b, row->first, first, &among));
  TRY(add_label(b, row->second, second, &among));
  return buf_add(b, among ? STR("} ") : STR(" "));
}

static enum err add_set_value(struct buf *b, const struct metric_row *row, unsigned first, unsigned second) {
  uint64_t bits = atomic_load_explicit(&set_values[cell_of(row, first, second)], memory_order_relaxed) ^ UNSET;
  if (bits == UNSET) return OK;
  double value;
  memcpy(&value, &bits, sizeof(value));
  TRY(add_series(b, row, first, second));
  if (isinf(value)) return buf_add(b, value > 0 ? STR("+Inf\n") : STR("-Inf\n"));
  return buf_addf(b, "%.15g\n", value);
}

static enum err add_value(struct buf *b, const struct metric_row *row, unsigned first, unsigned second) {
  if (row->kind == KIND_GAUGE || row->kind == KIND_READING) return add_set_value(b, row, first, second);
  TRY(add_series(b, row, first, second));
  uint64_t n = sum_of(cell_of(row, first, second));
  if (row->kind == KIND_LEVEL && (int64_t)n < 0) n = 0; /* (2) */
  return buf_addf(b, "%llu\n", (unsigned long long)n);
}

/* Microseconds as seconds, without zeros at the end: 2.5 */
static enum err add_seconds(struct buf *b, uint64_t us) {
  char text[40];
  int n = snprintf(text, sizeof(text), "%llu.%06llu", (unsigned long long)(us / 1000000),
                   (unsigned long long)(us % 1000000));
  while (text[n - 1] == '0') n--;
  if (text[n - 1] == '.') n--;
  return buf_add(b, str_of(text, (size_t)n));
}

/* name_bucket{label="value",le="…"} and its value, name_sum and name_count, for one value of the label (3). */
static enum err add_histogram_of(struct buf *b, const struct metric_row *row, unsigned label) {
  size_t cell = histogram_of(row, label);
  uint64_t count = 0;
  for (unsigned i = 0; i <= row->bound_count; i++) {
    bool among = false;
    count += sum_of(cell + i);
    TRY(buf_addf(b, "%s_bucket", row->name));
    TRY(add_label(b, row->first, label, &among));
    TRY(buf_add(b, among ? STR(",le=\"") : STR("{le=\"")));
    if (i < row->bound_count)
      TRY(add_seconds(b, (uint64_t)row->bounds[i]));
    else
      TRY(buf_add(b, STR("+Inf")));
    TRY(buf_addf(b, "\"} %llu\n", (unsigned long long)count));
  }
  for (unsigned sum = 2; sum-- > 0;) {
    bool among = false;
    TRY(buf_addf(b, sum ? "%s_sum" : "%s_count", row->name));
    TRY(add_label(b, row->first, label, &among));
    TRY(buf_add(b, among ? STR("} ") : STR(" ")));
    if (sum)
      TRY(add_seconds(b, sum_of(cell + row->bound_count + 1)));
    else
      TRY(buf_addf(b, "%llu", (unsigned long long)count));
    TRY(buf_add_char(b, '\n'));
  }
  return OK;
}

static enum err add_histogram(struct buf *b, const struct metric_row *row) {
  for (unsigned label = 0; label < row->first->count; label++) TRY(add_histogram_of(b, row, label));
  return OK;
}

enum err metric_write(struct buf *b) {
  metric_set(METRIC_BUILD_INFO, METRIC_BUILD_THIS, 1);
  for (unsigned i = 0; i < scrape_count; i++) scrapes[i].fn(scrapes[i].arg);
  for (size_t m = 0; m < METRIC_COUNT_; m++) {
    const struct metric_row *row = &rows[m];
    TRY(add_head(b, row));
    if (row->kind == KIND_HISTOGRAM) TRY(add_histogram(b, row));
    if (row->kind == KIND_HISTOGRAM) continue;
    for (unsigned first = 0; first < row->first->count; first++)
      for (unsigned second = 0; second < row->second->count; second++) TRY(add_value(b, row, first, second));
  }
  return OK;
}
