/* calls_list_test.c - compares lists with a simple model of what they should contain, for all filters over a generated
 * catalog. */
#include "../sizes.h"
#include "rows_scratch.h"

#include "ledger/calls_list.h"

enum { CALLS = 300, ASKED_MAX = 64 };
#define NOW SCRATCH_NOW

struct made {
  struct call call;
  enum recording_status statuses[2];
  char recording_sids[2][SID_SIZE];
  int recordings;
  int parent; /* index; -1: a top leg */
  int top;
};
static struct made made[CALLS];
static uint64_t seed;

static uint64_t roll(uint64_t sides) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed % sides;
}

static void make_call(struct db *db, int i) {
  static const char *const names[] = {"Dana Levi", "דנה לוי", "DANIEL", "O'Neil \"x\"", "100% sure", ""};
  static const char *const statuses[] = {"completed", "completed", "completed", "busy", "no-answer"};
  struct made *m = &made[i];
  struct call *c = &m->call;
  c->business_id = 1;
  m->parent = i > 10 && roll(3) == 0 ? (int)roll((uint64_t)i) : -1;
  m->top = m->parent < 0 ? i : made[m->parent].top;
  (void)snprintf(c->call_sid, SID_SIZE, "CA%02x%06d", (unsigned)roll(256), i);
  if (m->parent >= 0) memcpy(c->parent_call_sid, made[m->parent].call.call_sid, SID_SIZE);
  (void)snprintf(c->from_number, 20, "+1555%07u", (unsigned)roll(50) * 1001);
  (void)snprintf(c->to_number, 20, roll(4) ? "+97252%07u" : "client:agent%u", (unsigned)roll(50) * 10101);
  (void)snprintf(c->caller_name, 40, "%s", names[roll(COUNT_OF(names))]);
  (void)snprintf(c->status, 20, "%s", statuses[roll(COUNT_OF(statuses))]);
  (void)snprintf(c->direction, 16, "%s", roll(2) ? "inbound" : "outbound");
  c->duration_s = (int64_t)roll(8) - 1;
  c->first_seen_at = c->started_at = NOW + (int64_t)roll(60) * 1000; /* several calls share a time */
  assert_int_equal(scratch_put(db, c), OK);
  if (roll(4) == 0) {
    struct str tags = roll(2) ? STR("[\"vip\",\"late\"]") : STR("[\"vip\"]");
    assert_int_equal(calls_set_host(db, 1, str_from(c->call_sid), &(struct calls_host){.tags = &tags}), OK);
    assert_int_equal(calls_get(db, 1, str_from(c->call_sid), c), OK);
  }
  if (roll(5) == 0) {
    struct str name = str_from(names[roll(COUNT_OF(names))]), ref = roll(2) ? STR("r1") : STR("r2");
    assert_int_equal(
        calls_set_host(db, 1, str_from(c->call_sid), &(struct calls_host){.customer_name = &name, .ref = &ref}), OK);
    assert_int_equal(calls_get(db, 1, str_from(c->call_sid), c), OK);
  }
  m->recordings = (int)roll(3);
  for (int k = 0; k < m->recordings; k++) {
    m->statuses[k] = roll(3) ? RECORDING_READY : (enum recording_status)roll(RECORDING_STATUS_COUNT_);
    (void)snprintf(m->recording_sids[k], SID_SIZE, "RE%02x%06d%d", (unsigned)roll(256), i, k);
    (void)scratch_recording(db, 1, m->recording_sids[k], c->call_sid, m->statuses[k], RECORDING_RANK_REST, NOW);
  }
}

static void make_catalog(struct db *db) {
  seed = 88172645463325252;
  memset(made, 0, sizeof(made));
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 0; i < CALLS; i++) make_call(db, i);
  scratch_call(db, 2, "CA00000000", "", NOW); /* another business's */
  (void)scratch_recording(db, 2, "RE000000000", "CA00000000", RECORDING_FAILED, RECORDING_RANK_REST, NOW);
  assert_int_equal(db_commit(db), OK);
}

/* ---- the model ---- */

struct expectation {
  const char *search,
      *digits; /* digits: the part of the search that a number must contain; NULL: numbers don't match */
};

static bool shown_with(const struct made *c, const struct made *leg) {
  if (c == leg) return true;
  if (c->parent < 0) return &made[leg->top] == c;
  return leg == &made[c->parent] || (leg->parent >= 0 && &made[leg->parent] == c);
}

static bool number_holds(const char *number, const char *digits) {
  char only[64];
  size_t n = 0;
  for (const char *p = number; *p && n < sizeof(only) - 1; p++)
    if (*p >= '0' && *p <= '9') only[n++] = *p;
  only[n] = '\0';
  return strstr(only, digits);
}

static bool leg_matches(const struct made *leg, const struct expectation *e) {
  const struct call *c = &leg->call;
  bool number = e->digits && (number_holds(c->from_number, e->digits) || number_holds(c->to_number, e->digits));
  bool name = strcasestr(c->caller_name, e->search) || strcasestr(c->customer_name, e->search) ||
              (c->to_number[0] == 'c' && strcasestr(c->to_number, e->search));
  bool sid = strncmp(c->call_sid, e->search, strlen(e->search)) == 0;
  for (int k = 0; k < leg->recordings; k++)
    sid = sid || strncmp(leg->recording_sids[k], e->search, strlen(e->search)) == 0;
  return number || name || sid;
}

/* Parties of this catalog are "client:agent7" in `to`, or a number. Of a tree: the top leg's, else that of the first leg. */
static const char *agent_of(const struct made *c) {
  const struct made *first = NULL;
  if (strncmp(made[c->top].call.to_number, "client:", 7) == 0) return made[c->top].call.to_number + 7;
  for (int i = 0; i < CALLS; i++) {
    const struct made *leg = &made[i];
    if (leg->top != c->top || strncmp(leg->call.to_number, "client:", 7) != 0) continue;
    if (!first || leg->call.started_at < first->call.started_at ||
        (leg->call.started_at == first->call.started_at && strcmp(leg->call.call_sid, first->call.call_sid) < 0))
      first = leg;
  }
  return first ? first->call.to_number + 7 : "";
}

static const char *own_number_of(const struct made *c) {
  const struct call *top = &made[c->top].call;
  return strcmp(top->direction, "inbound") == 0 ? top->to_number : top->from_number;
}

static bool row_matches(const struct made *c, const struct calls_filter *f, const struct expectation *e) {
  bool search = !e->search, any = false, of_status = false;
  for (int i = 0; i < CALLS; i++) {
    const struct made *leg = &made[i];
    if (!shown_with(c, leg)) continue;
    search = search || leg_matches(leg, e);
    any = any || leg->recordings > 0;
    for (int k = 0; k < leg->recordings; k++) of_status = of_status || leg->statuses[k] == f->recording_status;
  }
  of_status = of_status || (f->recording_status == RECORDING_MISSING && !any);
  if (!f->all_legs && c->parent >= 0) return false;
  if (!search || (f->by_recording_status && !of_status)) return false;
  if (f->has_recording != CALLS_ANY && (f->has_recording == CALLS_YES) != any) return false;
  if (f->status.n && !str_eq(f->status, str_from(c->call.status))) return false;
  if (f->direction.n && !str_eq(f->direction, str_from(made[c->top].call.direction))) return false;
  if (f->ref.n && !str_eq(f->ref, str_from(c->call.ref))) return false;
  if (f->agent.n && !str_eq(f->agent, str_from(agent_of(c)))) return false;
  if (f->own_number.n && !str_eq(f->own_number, str_from(own_number_of(c)))) return false;
  if (f->tag.n && !strstr(c->call.tags, f->tag.p)) return false;
  if (f->min_duration_s && c->call.duration_s < f->min_duration_s) return false;
  if (f->by_max_duration && (c->call.duration_s < 0 || c->call.duration_s > f->max_duration_s)) return false;
  return (!f->since || c->call.started_at >= f->since) && (!f->until || c->call.started_at < f->until);
}

static int in_order(const void *a, const void *b, void *arg) {
  const struct made *x = *(const struct made *const *)a, *y = *(const struct made *const *)b;
  enum calls_sort sort = *(enum calls_sort *)arg;
  int up = sort == CALLS_OLDEST || sort == CALLS_SHORTEST ? 1 : -1;
  int64_t by = sort == CALLS_LONGEST || sort == CALLS_SHORTEST ? x->call.duration_s - y->call.duration_s : 0;
  if (!by) by = x->call.started_at - y->call.started_at;
  if (by) return by > 0 ? up : -up;
  return up * strcmp(x->call.call_sid, y->call.call_sid);
}

/* Reads all pages of a list, and compares them row by row. */
static int require_list(struct db *db, struct calls_filter f, const struct expectation *e) {
  static const struct made *expected[CALLS];
  int count = 0, at = 0;
  for (int i = 0; i < CALLS; i++)
    if (row_matches(&made[i], &f, e)) expected[count++] = &made[i];
  qsort_r(expected, (size_t)count, sizeof(expected[0]), in_order, &f.sort);
  f.search = str_from(e->search);
  for (bool more = true; more;) {
    struct calls_key keys[CALLS_LIST_LIMIT_MAX];
    size_t n = 0;
    assert_int_equal(calls_list_page(db, 1, &f, keys, &n, &more), OK);
    for (size_t i = 0; i < n; i++, at++) {
      if (at >= count || strcmp(keys[i].call_sid, expected[at]->call.call_sid) != 0)
        fail_msg("search %s, row %d of %d: %s", e->search ? e->search : "-", at, count, keys[i].call_sid);
    }
    assert_true(!more || n == (size_t)f.limit);
    if (n) f.after = keys[n - 1];
    f.after_key = true;
  }
  assert_int_equal(at, count);
  int64_t total;
  bool exact;
  assert_int_equal(calls_list_count(db, 1, &f, &total, &exact), OK);
  assert_true(exact && total == count);
  return count;
}

static const struct expectation searches[] = {
    {NULL, NULL},
    {"555", "555"},
    {"+1 (555) 00", "155500"},
    {"0555", "555"},
    {"052", "52"},
    {"1555001", "1555001"},
    {"972", "972"},
    {"99999999", "99999999"},
    {"dana", NULL},
    {"דנה", NULL},
    {"O'Neil \"", NULL},
    {"100%", "100"},
    {"agent", NULL},
    {"CA1", NULL},
    {"CA0a0", NULL},
    {"RE", NULL},
    {"REff", NULL},
    {"levi", NULL},
    {"zzz", NULL},
    {"\" OR names : \"", NULL},
    {"\xe2\x80\xaa+1555\xe2\x80\xac", "1555"},
};

static void every_search_gives_what_it_should_in_order(void **state) {
  struct db *db = scratch_ledger(*state);
  make_catalog(db);
  int found = 0;
  for (size_t i = 0; i < COUNT_OF(searches); i++) {
    if (searches[i].search && strlen(searches[i].search) < 3) continue;
    for (int all_legs = 0; all_legs < 2; all_legs++)
      found += require_list(db, (struct calls_filter){.limit = 7, .all_legs = all_legs}, &searches[i]);
  }
  assert_true(found > 1000);
  db_close(db);
}

static void filters_of_every_kind_agree_with_each_other(void **state) {
  struct db *db = scratch_ledger(*state);
  make_catalog(db);
  int found = 0;
  for (int n = 0; n < TEST_SIZE(2000, 250); n++) {
    struct calls_filter f = {.limit = 1 + (int)roll(30), .all_legs = roll(2)};
    if (roll(3) == 0) f.status = roll(2) ? STR("completed") : STR("busy");
    if (roll(3) == 0) f.direction = roll(2) ? STR("inbound") : STR("outbound");
    if (roll(6) == 0) f.ref = STR("r1");
    if (roll(4) == 0) f.since = NOW + (int64_t)roll(60) * 1000;
    if (roll(4) == 0) f.until = NOW + (int64_t)roll(60) * 1000;
    if (roll(3) == 0) f.has_recording = (enum calls_tri)roll(3);
    if (roll(2)) f.sort = (enum calls_sort)roll(4);
    if (roll(3) == 0) f.few = 1 + (int64_t)roll(40);
    if (roll(4) == 0) f.agent = str_from(agent_of(&made[roll(CALLS)]));
    if (roll(4) == 0) f.own_number = str_from(own_number_of(&made[roll(CALLS)]));
    if (roll(4) == 0) f.tag = roll(2) ? STR("vip") : STR("late");
    if (roll(4) == 0) f.min_duration_s = (int64_t)roll(8);
    if (roll(4) == 0) f.by_max_duration = true, f.max_duration_s = (int64_t)roll(8);
    f.by_recording_status = roll(3) == 0;
    f.recording_status = (enum recording_status)roll(RECORDING_STATUS_COUNT_);
    const struct expectation *e = &searches[roll(2) ? 0 : roll(COUNT_OF(searches))];
    if (e->search && strlen(e->search) < 3) e = &searches[0];
    found += require_list(db, f, e);
  }
  assert_true(found > 1000);
  db_close(db);
}

static void an_offset_passes_over_rows(void **state) {
  struct db *db = scratch_ledger(*state);
  make_catalog(db);
  struct calls_key all[CALLS_LIST_LIMIT_MAX], some[CALLS_LIST_LIMIT_MAX];
  size_t n;
  bool more;
  for (int with_search = 0; with_search < 2; with_search++) {
    struct calls_filter f = {.limit = 50, .search = with_search ? STR("555") : STR_NONE};
    assert_int_equal(calls_list_page(db, 1, &f, all, &n, &more), OK);
    f.offset = 20;
    f.limit = 10;
    assert_int_equal(calls_list_page(db, 1, &f, some, &n, &more), OK);
    assert_int_equal(n, 10);
    for (size_t i = 0; i < n; i++) assert_string_equal(some[i].call_sid, all[i + 20].call_sid);
    f.offset = CALLS_LIST_OFFSET_MAX;
    assert_int_equal(calls_list_page(db, 1, &f, some, &n, &more), OK);
    assert_true(n == 0 && !more);
  }
  db_close(db);
}

static void invalid_filters_are_refused(void **state) {
  struct db *db = scratch_ledger(*state);
  static char longer[CALLS_LIST_SEARCH_MAX + 1];
  memset(longer, 'x', sizeof(longer));
  const struct calls_filter cases[] = {
      {.limit = 0},
      {.limit = 101},
      {.limit = 1, .offset = -1},
      {.limit = 1, .offset = CALLS_LIST_OFFSET_MAX + 1},
      {.limit = 1, .search = STR("a1")},
      {.limit = 1, .search = STR("a ")},
      {.limit = 1, .search = STR("ד")},
      {.limit = 1, .search = STR("\xff\xff\xff")},
      {.limit = 1, .search = {longer, sizeof(longer)}},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct calls_key keys[1];
    size_t n;
    bool more;
    assert_int_equal(calls_list_page(db, 1, &cases[i], keys, &n, &more), ERR_INVALID);
  }
  db_close(db);
}

static size_t count_found(struct db *db, const char *search) {
  struct calls_filter f = {.limit = 10, .search = str_from(search)};
  struct calls_key keys[10];
  size_t n = 99;
  bool more;
  enum err e = calls_list_page(db, 1, &f, keys, &n, &more);
  if (e != OK) fail_msg("%s is refused: %s", search, err_text(e));
  return n;
}

static void people_write_names_and_numbers_in_many_ways(void **state) {
  static const struct {
    const char *search;
    size_t found;
  } cases[] = {
      {"לי", 1},
      {"גל", 0},
      {"da", 1},
      {"ca", 0}, /* not the beginning of every SID */
      {"Levi Dana", 1},
      {"dana  levi", 1},
      {"Dana Cohen", 0},
      {"+972 (0)54-123-4567", 1},
      {"+972541234567 ext. 12", 1},
      {"+972 54 123 4567 x9", 1},
      {"٠٥٤١٢٣٤٥٦٧", 1},
      {"０５４１２３", 1},
      {"0541234568", 0},
  };
  struct db *db = scratch_ledger(*state);
  struct call c;
  scratch_call(db, 1, "CA1", "", NOW);
  assert_int_equal(calls_get(db, 1, STR("CA1"), &c), OK);
  (void)snprintf(c.from_number, sizeof(c.from_number), "+972541234567");
  (void)snprintf(c.caller_name, sizeof(c.caller_name), "Dana Levi");
  assert_int_equal(scratch_put(db, &c), OK);
  struct str name = STR("לי");
  assert_int_equal(calls_set_host(db, 1, STR("CA1"), &(struct calls_host){.customer_name = &name}), OK);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    size_t n = count_found(db, cases[i].search);
    if (n != cases[i].found) fail_msg("%s finds %zu", cases[i].search, n);
  }
  db_close(db);
}

static void names_are_found_with_and_without_accents_apostrophes_and_hyphens(void **state) {
  static const struct {
    const char *name, *search[8];
  } cases[] = {
      {"Sean O\u2019Neill", {"ONeill", "O'Neill", "O\u2018NEILL", "neill sean", "o’n"}},
      {"Sean O'Neill", {"oneill", "O\u2019Neill", "O`Neill"}},
      {"Jürgen Müller", {"Muller", "Müller", "MU\u0308LLER", "muller jurgen", "mü", "mu"}},
      {"Jurgen Muller", {"Müller", "MÜLLER"}},
      {"Hans Groß", {"gross", "GROẞ", "groß"}},
      {"Hans Gross", {"groß"}},
      {"\u0130lknur I\u015f\u0131k", {"ilknur", "\u0130LKNUR", "isik", "IŞIK", "ışık"}},
      {"Anne-Marie", {"anne-marie", "anne marie", "annemarie", "Anne\u2010Marie", "marie-anne"}},
      {"Anne Marie", {"anne-marie", "anne marie"}},
      {"דויד בֶּן־גּוּרִיוֹן", {"בן גוריון", "בן-גוריון", "בן־גוריון", "בןגוריון", "גוריון", "דו"}},
      {"דויד בן-גוריון", {"בן־גוריון", "בן גוריון"}},
      {"ג\u05f3ורג\u05f3 צ\u05f3רני", {"ג'ורג'", "גורג", "צרני", "ג’ורג’ צרני"}},
      {"לִי", {"לי", "לִי"}},
      {"محمد أحمد", {"مُحَمَّد", "احمد"}},
      {"Suite ٤٢٧", {"suite 427", "٤٢٧ suite", "Suite ４２７"}},
      {"Ёлкина Ελένη", {"елкина", "ελενη"}},
  };
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CA1", "", NOW);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct str name = str_from(cases[i].name), other = STR("zzz");
    for (size_t k = 0; k < COUNT_OF(cases[i].search) && cases[i].search[k]; k++) {
      const char *search = cases[i].search[k];
      assert_int_equal(calls_set_host(db, 1, STR("CA1"), &(struct calls_host){.customer_name = &name}), OK);
      if (count_found(db, search) != 1) fail_msg("%s does not find %s", search, cases[i].name);
      assert_int_equal(calls_set_host(db, 1, STR("CA1"), &(struct calls_host){.customer_name = &other}), OK);
      if (count_found(db, search) != 0) fail_msg("%s finds %.*s", search, STR_ARG(other));
    }
  }
  db_close(db);
}

static void a_number_that_was_withheld_is_not_found(void **state) {
  static const char *const withheld[] = {"+266696687", "anonymous", "Restricted", "+7378742833",
                                         "sip:anonymous@example.com"};
  static const char *const digits_and_words[] = {"266696687",  "+266696687", "2666",      "026",
                                                 "7378742833", "anonymous",  "restricted"};
  struct db *db = scratch_ledger(*state);
  struct call c;
  scratch_call(db, 1, "CA1", "", NOW);
  assert_int_equal(calls_get(db, 1, STR("CA1"), &c), OK);
  (void)snprintf(c.to_number, sizeof(c.to_number), "+15550199");
  for (size_t i = 0; i < COUNT_OF(withheld); i++) {
    (void)snprintf(c.from_number, sizeof(c.from_number), "%s", withheld[i]);
    assert_int_equal(scratch_put(db, &c), OK);
    for (size_t k = 0; k < COUNT_OF(digits_and_words); k++)
      if (count_found(db, digits_and_words[k])) fail_msg("%s finds a call from %s", digits_and_words[k], withheld[i]);
    assert_int_equal(count_found(db, "5550199"), 1);
  }
  db_close(db);
}

static void a_number_that_changed_is_found_as_it_is_now(void **state) {
  struct db *db = scratch_ledger(*state);
  struct call c;
  static const char *const numbers[] = {"+15550100", "+15550199"};
  scratch_call(db, 1, "CA1", "", NOW);
  scratch_call(db, 1, "CA2", "CA1", NOW - 5000);
  for (size_t i = 0; i < COUNT_OF(numbers); i++) {
    assert_int_equal(calls_get(db, 1, STR("CA2"), &c), OK);
    (void)snprintf(c.from_number, sizeof(c.from_number), "%s", numbers[i]);
    c.started_at += 1000;
    assert_int_equal(scratch_put(db, &c), OK);
    for (size_t k = 0; k < COUNT_OF(numbers); k++) {
      struct calls_filter f = {.limit = 10, .search = str_from(numbers[k])};
      struct calls_key keys[10];
      size_t n;
      bool more;
      assert_int_equal(calls_list_page(db, 1, &f, keys, &n, &more), OK);
      assert_int_equal(n, i == k); /* finds the top leg by its child's number */
    }
  }
  db_close(db);
}

/* Requires a list to contain exactly these SIDs, written without "CA". */
static void require_filtered(struct db *db, struct calls_filter f, const char *sids) {
  struct calls_key keys[10];
  size_t count;
  bool more;
  char found[80] = "";
  f.limit = COUNT_OF(keys);
  assert_int_equal(calls_list_page(db, 1, &f, keys, &count, &more), OK);
  for (size_t i = 0; i < count; i++)
    (void)snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s", i ? " " : "", keys[i].call_sid + 2);
  assert_string_equal(found, sids);
}

static void require_failed_and_unrecorded(struct db *db, const char *failed, const char *unrecorded) {
  struct calls_filter f = {.by_recording_status = true, .recording_status = RECORDING_FAILED};
  require_filtered(db, f, failed);
  require_filtered(db, (struct calls_filter){.has_recording = CALLS_NO}, unrecorded);
}

static void set_status(struct db *db, const char *sid, enum recording_status status) {
  struct recording row = scratch_row(db, 1, sid), next = row;
  next.status = status;
  assert_int_equal(recordings_store(db, &row, &next), OK);
}

static void lists_by_recording_follow_what_changes(void **state) {
  struct db *db = scratch_ledger(*state);
  (void)scratch_recording(db, 1, "RE1", "CA1", RECORDING_FAILED, RECORDING_RANK_REST, NOW);
  (void)scratch_recording(db, 1, "RE2", "CA2", RECORDING_READY, RECORDING_RANK_REST, NOW);
  require_failed_and_unrecorded(db, "", "");
  scratch_call(db, 1, "CA1", "", NOW); /* after its recording */
  scratch_call(db, 1, "CA2", "", NOW + 1000);
  scratch_call(db, 1, "CA3", "", NOW + 2000);
  require_failed_and_unrecorded(db, "1", "3");
  set_status(db, "RE2", RECORDING_FAILED);
  require_failed_and_unrecorded(db, "2 1", "3");
  scratch_call(db, 1, "CA1", "", NOW + 5000); /* its start time was corrected */
  require_failed_and_unrecorded(db, "1 2", "3");
  set_status(db, "RE1", RECORDING_READY);
  scratch_call(db, 1, "CA1", "", NOW - 5000);
  set_status(db, "RE1", RECORDING_FAILED);
  require_failed_and_unrecorded(db, "2 1", "3");
  scratch_call(db, 1, "CA1", "CA0", NOW); /* a parent that is not known yet */
  scratch_call(db, 1, "CA0", "", NOW + 9000);
  require_failed_and_unrecorded(db, "0 2", "3");
  scratch_call(db, 1, "CA1", "CA3", NOW); /* another parent */
  require_failed_and_unrecorded(db, "3 2", "0");
  scratch_call(db, 1, "CA4", "CA0", NOW);
  (void)scratch_recording(db, 1, "RE4", "CA4", RECORDING_FAILED, RECORDING_RANK_REST, NOW);
  require_failed_and_unrecorded(db, "0 3 2", "");
  struct calls_filter legs = {.by_recording_status = true, .recording_status = RECORDING_FAILED, .all_legs = true};
  require_filtered(db, legs, "0 3 2 4 1");
  db_close(db);
}

static void older_calls_are_listed_by_recording_after_the_migration(void **state) {
  struct db *db = scratch_ledger(*state);
  make_catalog(db);
  struct ledger_migrations *all = malloc(sizeof(*all));
  assert_non_null(all);
  assert_int_equal(ledger_migrations(DB_SQLITE, all), OK);
  static const char *const triggers[] = {
      "recordings_listed_new",   "recordings_listed_moved",   "calls_listed_new",     "calls_listed_moved",
      "recordings_recorded_new", "recordings_recorded_moved", "calls_unrecorded_new", "calls_unrecorded_moved",
  };
  for (size_t i = 0; i < COUNT_OF(triggers); i++) {
    char sql[80];
    (void)snprintf(sql, sizeof(sql), "drop trigger %s", triggers[i]);
    assert_int_equal(db_script(db, sql), OK);
  }
  assert_int_equal(db_script(db,
                             "drop index recordings_state_newest; drop index calls_unrecorded;"
                             "drop index calls_unrecorded_leg; drop index calls_ref_unrecorded;"
                             "alter table calls drop column unrecorded;"
                             "alter table recordings drop column listed_at"),
                   OK);
  assert_int_equal(db_script(db, all->all[9].sql), OK);
  free(all);
  for (int status = 0; status < RECORDING_STATUS_COUNT_; status++)
    for (int legs = 0; legs < 2; legs++) {
      struct calls_filter f = {.limit = 7, .all_legs = legs, .by_recording_status = true};
      f.recording_status = (enum recording_status)status;
      assert_true(require_list(db, f, &searches[0]) > 5);
    }
  for (int legs = 0; legs < 2; legs++)
    assert_true(require_list(db, (struct calls_filter){.limit = 7, .all_legs = legs, .has_recording = CALLS_NO},
                             &searches[0]) > 5);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(people_write_names_and_numbers_in_many_ways),
      SCRATCH_TEST(names_are_found_with_and_without_accents_apostrophes_and_hyphens),
      SCRATCH_TEST(a_number_that_was_withheld_is_not_found),
      SCRATCH_TEST(every_search_gives_what_it_should_in_order),
      SCRATCH_TEST(filters_of_every_kind_agree_with_each_other),
      SCRATCH_TEST(an_offset_passes_over_rows),
      SCRATCH_TEST(invalid_filters_are_refused),
      SCRATCH_TEST(lists_by_recording_follow_what_changes),
      SCRATCH_TEST(older_calls_are_listed_by_recording_after_the_migration),
      SCRATCH_TEST(a_number_that_changed_is_found_as_it_is_now),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
