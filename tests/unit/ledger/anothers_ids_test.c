/* anothers_ids_test.c - to look for another business's object takes exactly as much work as for one that does not exist. */
#include "cost_scratch.h"

#include "ledger/erasures.h"
#include "ledger/holds.h"
#include "ledger/keys.h"
#include "ledger/notes.h"
#include "ledger/sessions.h"
#include "ledger/urls.h"

enum { OTHERS = 40 }; /* objects of each kind that business 2 has */

/* The object that is looked for: one of business 2, or one that does not exist. */
struct wanted {
  char call[SID_SIZE], recording[SID_SIZE], session[SESSION_ID_SIZE], link[SESSION_ID_SIZE], url[URL_ID_SIZE];
  int64_t key, note, hold, erasure;
};

static enum err end_key(struct db *db, const struct wanted *w) {
  return keys_revoke_by(db, 1, w->key, STR("key:1"));
}
static enum err end_session(struct db *db, const struct wanted *w) {
  struct session_ended ended;
  return sessions_end_id(db, 1, str_from(w->session), &ended);
}
static enum err end_link(struct db *db, const struct wanted *w) {
  struct session_ended ended;
  return sessions_end_id(db, 1, str_from(w->link), &ended);
}
static enum err end_url(struct db *db, const struct wanted *w) {
  int64_t owner;
  return urls_end(db, 1, str_from(w->url), &owner);
}
static enum err get_note(struct db *db, const struct wanted *w) {
  static struct note note;
  return notes_get(db, 1, str_from(w->recording), w->note, &note);
}
static enum err delete_note(struct db *db, const struct wanted *w) {
  return notes_delete(db, 1, str_from(w->recording), w->note);
}
static enum err resolve_recording(struct db *db, const struct wanted *w) {
  struct recording row;
  bool known;
  return recordings_resolve(db, 1, str_from(w->recording), &known, &row);
}
static enum err resolve_call(struct db *db, const struct wanted *w) {
  struct recording row;
  bool known;
  return recordings_resolve(db, 1, str_from(w->call), &known, &row);
}
static enum err get_hold(struct db *db, const struct wanted *w) {
  static struct hold hold;
  return holds_get(db, 1, w->hold, &hold);
}
static enum err get_erasure(struct db *db, const struct wanted *w) {
  static struct erasure erasure;
  return erasures_get(db, 1, w->erasure, &erasure);
}
static enum err get_call(struct db *db, const struct wanted *w) {
  struct call call;
  return calls_get(db, 1, str_from(w->call), &call);
}
static enum err patch_call(struct db *db, const struct wanted *w) {
  struct str name = STR("x");
  return calls_set_host(db, 1, str_from(w->call), &(struct calls_host){.customer_name = &name});
}

static const struct look {
  const char *name;
  enum err (*run)(struct db *db, const struct wanted *w);
} looks[] = {
    {"key", end_key},
    {"session", end_session},
    {"link", end_link},
    {"url", end_url},
    {"note", get_note},
    {"note's end", delete_note},
    {"hold", get_hold},
    {"erasure", get_erasure},
    {"call", get_call},
    {"call's name", patch_call},
    {"recording", resolve_recording},
    {"call's recording", resolve_call},
};

/* ---- what others have ---- */

static void make_one(struct db *db, int i, struct wanted *ret_wanted) {
  struct wanted w;
  char text[KEY_TEXT_SIZE], token[SESSION_TOKEN_SIZE];
  struct session s = {.business_id = 2, .role = "admin", .subject = "x", .expires_at = INT64_MAX / 2};
  struct link l = {.business_id = 2, .role = "admin", .expires_at = INT64_MAX / 2};
  struct url u = {.business_id = 2, .made_by = "key:1", .expires_at = INT64_MAX / 2};
  static struct note note = {.at_ms = -1, .text = "x", .by = "key:1", .author = "key:1", .created_at = 1};
  memset(&w, 0, sizeof(w));
  (void)snprintf(w.call, sizeof(w.call), "CA%032d", 2 * i);
  (void)snprintf(w.recording, sizeof(w.recording), "RE%032d", 2 * i);
  memcpy(u.recording_sid, w.recording, sizeof(u.recording_sid));
  scratch_call(db, 2, w.call, "", SCRATCH_NOW + i);
  (void)scratch_recording(db, 2, w.recording, w.call, RECORDING_READY, RECORDING_RANK_REST, SCRATCH_NOW);
  assert_int_equal(keys_create(db, 2, STR("viewer"), STR("x"), text, &w.key), OK);
  assert_int_equal(sessions_create(db, &s, token), OK);
  assert_int_equal(links_create(db, &l, token), OK);
  assert_int_equal(urls_add(db, &u), OK);
  struct hold h = {.business_id = 2, .reason = "x", .by = "key:1", .at = 1};
  static struct erasure x;
  x = (struct erasure){.business_id = 2, .by = "key:1"};
  (void)snprintf(h.key, sizeof(h.key), "+1555%07d", i);
  (void)snprintf(x.key, sizeof(x.key), "+1444%07d", i);
  assert_int_equal(holds_set(db, &h, &w.hold), OK);
  assert_int_equal(erasures_begin(db, &x, SCRATCH_NOW), OK);
  w.erasure = x.erasure_id;
  assert_int_equal(notes_add(db, 2, str_from(w.recording), &note), OK);
  w.note = note.note_id;
  memcpy(w.session, s.id, sizeof(w.session));
  memcpy(w.link, l.id, sizeof(w.link));
  memcpy(w.url, u.url_id, sizeof(w.url));
  *ret_wanted = w;
}

/* Like those, but of nobody: in between. */
static struct wanted like(const struct wanted *w, int i) {
  struct wanted nobodys = *w;
  (void)snprintf(nobodys.call, sizeof(nobodys.call), "CA%032d", 2 * i + 1);
  (void)snprintf(nobodys.recording, sizeof(nobodys.recording), "RE%032d", 2 * i + 1);
  nobodys.session[15] = nobodys.session[15] == 'a' ? 'b' : 'a';
  nobodys.link[15] = nobodys.link[15] == 'a' ? 'b' : 'a';
  nobodys.url[15] = nobodys.url[15] == 'a' ? 'b' : 'a';
  nobodys.key += 100000;
  nobodys.hold += 100000;
  nobodys.erasure += 100000;
  nobodys.note ^= 1;
  return nobodys;
}

/* ---- what it costs ---- */

static void cost_of(struct db *db, const struct look *look, const struct wanted *w, int64_t *ret_steps,
                    int64_t *ret_pages) {
  sqlite3 *sqlite = db_sqlite_of(db)->sqlite;
  int64_t steps = 0;
  assert_int_equal(db_run(db, "savepoint job"), OK);
  (void)sqlite3_trace_v2(sqlite, SQLITE_TRACE_PROFILE, scratch_count_steps, &steps);
  (void)scratch_pages_read(sqlite);
  assert_int_equal(look->run(db, w), ERR_NOT_FOUND);
  *ret_pages = scratch_pages_read(sqlite);
  (void)sqlite3_trace_v2(sqlite, 0, NULL, NULL);
  assert_int_equal(db_run(db, "release job"), OK);
  *ret_steps = steps;
}

static void anothers_object_takes_as_much_work_as_none(void **state) {
  struct db *db = scratch_ledger(*state);
  struct wanted theirs[OTHERS];
  assert_int_equal(scratch_business(db, "mine"), 1);
  assert_int_equal(scratch_business(db, "theirs"), 2);
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 0; i < OTHERS; i++) make_one(db, i, &theirs[i]);
  int failures = 0;
  for (size_t k = 0; k < COUNT_OF(looks); k++) {
    int64_t steps[2], pages[2];
    for (int i = 0; i < OTHERS; i++) {
      struct wanted nobodys = like(&theirs[i], i);
      if (i == 0) cost_of(db, &looks[k], &nobodys, &steps[1], &pages[1]); /* prepares the statements */
      cost_of(db, &looks[k], &theirs[i], &steps[0], &pages[0]);
      cost_of(db, &looks[k], &nobodys, &steps[1], &pages[1]);
      if (steps[0] == steps[1] && pages[0] == pages[1]) continue;
      failures++;
      print_message("# %s: %lld steps and %lld pages for another's, %lld and %lld for nobody's\n", looks[k].name,
                    (long long)steps[0], (long long)pages[0], (long long)steps[1], (long long)pages[1]);
      break;
    }
  }
  assert_int_equal(failures, 0);
  db_rollback(db);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {SCRATCH_TEST(anothers_object_takes_as_much_work_as_none)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
