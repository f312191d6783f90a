/* ledger_erasures.h - calls and numbers that are removed with all that is known of them, and what is too late to hold. */
#pragma once

#include "ledger_contract.h"

#include "ledger/businesses.h"
#include "ledger/businesses_speech.h"
#include "ledger/erasures.h"
#include "ledger/forgets.h"
#include "ledger/keys.h"
#include "ledger/notes.h"
#include "ledger/removed_calls.h"
#include "ledger/sessions.h"
#include "ledger/texts.h"

static void put_numbers(struct db *db, const char *sid, const char *parent, const char *from, const char *to) {
  struct call c = {.business_id = 1, .duration_s = -1, .started_at = NOW, .first_seen_at = NOW};
  (void)snprintf(c.call_sid, sizeof(c.call_sid), "%s", sid);
  (void)snprintf(c.parent_call_sid, sizeof(c.parent_call_sid), "%s", parent);
  (void)snprintf(c.from_number, sizeof(c.from_number), "%s", from);
  (void)snprintf(c.to_number, sizeof(c.to_number), "%s", to);
  assert_ok(scratch_put(db, &c));
}

static struct erasure begin_erasure(struct db *db, const char *key, const char *tree) {
  struct erasure x = {.business_id = 1, .is_number = key[0] == '+', .digest = "d", .reason = "erased", .by = "key:1"};
  (void)snprintf(x.key, sizeof(x.key), "%s", key);
  (void)snprintf(x.tree_sid, sizeof(x.tree_sid), "%s", tree);
  (void)snprintf(x.role, sizeof(x.role), "admin");
  IN_TRANSACTION(db, assert_ok(erasures_begin(db, &x, NOW)));
  return x;
}

static void what_leaves_the_index_of_the_search_is_to_be_forgotten(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t wanted = 0;
  bool begins = true, done = false;
  assert_int_equal(forgets_next(db, &wanted), ERR_NOT_FOUND);
  IN_TRANSACTION(db, assert_ok(forgets_want(db)));
  bool is_server = db_kind(db) == DB_POSTGRES;
  assert_int_equal(forgets_next(db, &wanted), is_server ? ERR_NOT_FOUND : OK);
  assert_int_equal(wanted, !is_server);
  IN_TRANSACTION(db, assert_ok(forgets_want(db)));
  for (; !done; begins = false) IN_TRANSACTION(db, assert_ok(forgets_rewrite_part(db, begins, &done)));
  IN_TRANSACTION(db, assert_ok(forgets_end(db, wanted)));
  if (is_server) return;
  assert_ok(forgets_next(db, &wanted)); /* rows that came meanwhile */
  assert_int_equal(wanted, 2);
  IN_TRANSACTION(db, assert_ok(forgets_end(db, wanted)));
  assert_int_equal(forgets_next(db, &wanted), ERR_NOT_FOUND);
}

static void erasures_are_served_in_turn_and_forget_their_key(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct erasure first = begin_erasure(db, "+97231234567", ""), second = begin_erasure(db, "CA1", "CA1"), x;
  bool any;
  assert_ok(erasures_next(db, 0, &x));
  assert_int_equal(x.erasure_id, first.erasure_id);
  assert_true(x.is_number && strcmp(x.key, "+97231234567") == 0 && !x.tree_sid[0] && strcmp(x.role, "admin") == 0);
  assert_ok(erasures_next(db, first.erasure_id, &x));
  assert_true(x.erasure_id == second.erasure_id && strcmp(x.tree_sid, "CA1") == 0);
  assert_ok(erasures_next(db, second.erasure_id, &x));
  assert_int_equal(x.erasure_id, first.erasure_id);
  x.calls = 3;
  x.step = 2;
  x.edited = 5;
  (void)snprintf(x.after, sizeof(x.after), "CA7");
  (void)snprintf(x.tree_sid, sizeof(x.tree_sid), "CA9");
  IN_TRANSACTION(db, assert_ok(erasures_store(db, &x)));
  assert_ok(erasures_get(db, 1, first.erasure_id, &x));
  assert_true(x.calls == 3 && x.edited == 5 && x.step == 2 && strcmp(x.after, "CA7") == 0 &&
              strcmp(x.tree_sid, "CA9") == 0);
  assert_int_equal(erasures_get(db, 2, first.erasure_id, &x), ERR_NOT_FOUND);
  assert_ok(erasures_find(db, 1, STR("CA1"), &x));
  int64_t all, few, others;
  assert_ok(erasures_count(db, 0, 10, &all));
  assert_ok(erasures_count(db, 1, 1, &few));
  assert_ok(erasures_count(db, 2, 10, &others));
  assert_true(all == 2 && few == 1 && others == 0);
  assert_ok(erasures_ended_since(db, NOW - 1, &any));
  assert_false(any);
  IN_TRANSACTION(db, assert_ok(erasures_end(db, &x, NOW)));
  assert_int_equal(erasures_find(db, 1, STR("CA1"), &x), ERR_NOT_FOUND);
  assert_ok(erasures_ended_since(db, NOW - 1, &any));
  assert_true(any);
  assert_ok(erasures_get(db, 1, first.erasure_id, &x));
  IN_TRANSACTION(db, assert_ok(erasures_end(db, &x, NOW)));
  assert_ok(erasures_get(db, 1, second.erasure_id, &x));
  assert_true(!x.key[0] && !x.tree_sid[0] && x.ended_at == NOW);
}

static void words_add_str(struct words *w, struct str text) {
  char copy[100];
  assert_ok(str_copy(copy, sizeof(copy), text));
  words_add(w, copy);
}

static enum err words_add_call_texts(void *arg, const struct texts_call *c) {
  words_add_str(arg, c->call_sid);
  words_add_str(arg, c->addresses[0]);
  words_add_str(arg, c->plain[2]);
  words_add_str(arg, c->json[2]);
  return ERR_FULL;
}

static enum err words_add_text(void *arg, struct str recording_sid, int64_t note_id, struct str text, struct str by) {
  words_add_str(arg, recording_sid);
  words_add_str(arg, note_id ? text : STR("fields"));
  if (note_id) words_add_str(arg, by);
  return OK;
}

static void what_may_name_a_number_is_walked(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct words calls = {""}, recordings = {""}, notes = {""};
  const struct str ref = STR("r");
  const struct calls_host host = {.ref = &ref};
  struct note note = {.at_ms = 1, .text = "text", .by = "key:1", .author = "key:1", .created_at = NOW};
  (void)scratch_recording(db, 1, "RE1", "CA1", RECORDING_READY, RECORDING_RANK_REST, NOW);
  IN_TRANSACTION(db, put_numbers(db, "CA1", "", "+1", "+2"); put_numbers(db, "CA2", "", "+3", "+4");
                 put_numbers(db, "CA3", "", "+5", "+6"); assert_ok(calls_set_host(db, 1, STR("CA2"), &host));
                 assert_ok(notes_add(db, 1, STR("RE1"), &note)));
  assert_ok(texts_each_call(db, 1, STR("CA1"), 10, words_add_call_texts, &calls));
  assert_string_equal(calls.text, "CA2 +3 r {}");
  assert_ok(texts_each_recording(db, 1, STR(""), 10, words_add_text, &recordings));
  assert_string_equal(recordings.text, "RE1 fields");
  assert_ok(texts_each_note(db, 1, STR(""), 10, words_add_text, &notes));
  assert_string_equal(notes.text, "RE1 text key:1");
}

static bool is_named_dana(void *arg, struct str subject) {
  (void)arg;
  return str_eq(subject, STR("dana"));
}

static enum err words_add_key(void *arg, const struct key *key) {
  words_add(arg, key->name);
  return OK;
}

static void names_that_people_chose_are_changed(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct session dana = {.role = "viewer", .subject = "dana", .expires_at = NOW}, other = dana, got;
  struct hold h = {.business_id = 1, .key = "CA1", .reason = "for dana", .by = "key:1", .at = NOW}, found;
  struct note note = {.at_ms = 1, .text = "text", .by = "user:dana", .author = "x", .created_at = NOW};
  char key_text[KEY_TEXT_SIZE], tokens[2][SESSION_TOKEN_SIZE];
  int64_t key_id, hold_id, business = scratch_business(db, "b of dana");
  struct words keys = {""}, notes = {""};
  struct business b CLEANUP(business_done) = {0};
  struct business_speech speech;
  bool more;
  dana.business_id = other.business_id = h.business_id = business;
  (void)snprintf(other.subject, sizeof(other.subject), "noa");
  (void)scratch_recording(db, business, "RE1", "CA1", RECORDING_READY, RECORDING_RANK_REST, NOW);
  IN_TRANSACTION(db, assert_ok(keys_create(db, business, STR("viewer"), STR("of dana"), key_text, &key_id));
                 assert_ok(sessions_create(db, &dana, tokens[0])); assert_ok(sessions_create(db, &other, tokens[1]));
                 assert_ok(holds_set(db, &h, &hold_id)); assert_ok(notes_add(db, business, STR("RE1"), &note)));
  (void)snprintf(h.reason, sizeof(h.reason), "for X");
  (void)snprintf(note.by, sizeof(note.by), "user:X");
  h.hold_id = hold_id;
  IN_TRANSACTION(db, assert_ok(keys_rename(db, business, key_id, STR("of X"))); assert_ok(holds_set_reason(db, &h));
                 assert_ok(sessions_end_named(db, business, is_named_dana, NULL, &more));
                 assert_ok(notes_store(db, business, STR("RE1"), &note));
                 assert_ok(businesses_set_texts(db, business, STR("b of X"), STR("words"))));
  assert_false(more);
  assert_ok(keys_each(db, business, words_add_key, &keys));
  assert_string_equal(keys.text, "of X");
  IN_TRANSACTION(db, assert_int_equal(keys_rename(db, business + 1, key_id, STR("y")), ERR_NOT_FOUND));
  assert_ok(holds_get(db, business, hold_id, &found));
  assert_string_equal(found.reason, "for X");
  assert_int_equal(count_of(db, "select count(*) from holds where marked = 0 and shown like '%for X%'"), 1);
  assert_int_equal(sessions_find(db, str_from(tokens[0]), NOW - 1, &got), ERR_NOT_FOUND);
  assert_ok(sessions_find(db, str_from(tokens[1]), NOW - 1, &got));
  assert_ok(texts_each_note(db, business, STR(""), 10, words_add_text, &notes));
  assert_string_equal(notes.text, "RE1 text user:X");
  assert_ok(businesses_get(db, NULL, business, &b));
  assert_ok(businesses_speech_get(db, business, &speech));
  assert_string_equal(b.name, "b of X");
  assert_string_equal(speech.vocabulary, "words");
}

static void old_calls_are_found_in_their_order(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct erasure x = {.business_id = 1, .is_retention = true, .key = ERASURE_RETENTION_KEY, .until_at = NOW}, got;
  char sid[SID_SIZE];
  int64_t at;
  bool kept;
  IN_TRANSACTION(db, put_numbers(db, "CA2", "", "+1", "+2"); put_numbers(db, "CA1", "", "+3", "+4");
                 put_numbers(db, "CA3", "CA1", "+5", "+6"); assert_ok(erasures_begin(db, &x, NOW)));
  (void)scratch_recording(db, 1, "RE1", "CA3", RECORDING_READY, RECORDING_RANK_REST, NOW);
  assert_ok(erasures_find(db, 1, STR(ERASURE_RETENTION_KEY), &got));
  assert_true(got.is_retention && !got.is_number && got.until_at == NOW);
  assert_ok(erasures_next_old_call(db, &got, sid, &at));
  assert_string_equal(sid, "CA1");
  assert_int_equal(at, NOW);
  assert_ok(erasures_tree_is_kept(db, 1, STR("CA1"), &kept));
  assert_true(kept);
  assert_ok(erasures_tree_is_kept(db, 1, STR("CA2"), &kept));
  assert_false(kept);
  got.after_at = at;
  memcpy(got.after, sid, SID_SIZE);
  IN_TRANSACTION(db, assert_ok(erasures_store(db, &got)));
  assert_ok(erasures_get(db, 1, x.erasure_id, &got));
  assert_ok(erasures_next_old_call(db, &got, sid, &at));
  assert_string_equal(sid, "CA2");
  memcpy(got.after, sid, SID_SIZE);
  assert_int_equal(erasures_next_old_call(db, &got, sid, &at), ERR_NOT_FOUND);
  got.until_at = NOW - 1;
  got.after_at = 0;
  assert_int_equal(erasures_next_old_call(db, &got, sid, &at), ERR_NOT_FOUND);
  IN_TRANSACTION(db, assert_ok(erasures_delete(db, &got)));
  assert_int_equal(erasures_get(db, 1, x.erasure_id, &got), ERR_NOT_FOUND);
}

static void too_many_erasures_are_busy(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct erasure x = {.business_id = 1, .digest = "d", .reason = "erased", .by = "key:1", .key = "CA1"};
  IN_TRANSACTION(db, for (int i = 0; i < ERASURES_OPEN_MAX; i++) assert_ok(erasures_begin(db, &x, NOW)));
  IN_TRANSACTION(db, assert_int_equal(erasures_begin(db, &x, NOW), ERR_BUSY));
  x.business_id = 2;
  IN_TRANSACTION(db, assert_ok(erasures_begin(db, &x, NOW)));
}

#define ASSERT_COVER(expected, call)      \
  do {                                    \
    bool covered_ = !(expected);          \
    assert_ok(call);                      \
    assert_int_equal(covered_, expected); \
  } while (0)

static void a_call_that_is_being_removed_is_too_late_to_hold(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, put_numbers(db, "CA1", "", "+97231234567", "+12125550100");
                 put_numbers(db, "CA2", "CA1", "+12125550100", "12125550199");
                 put_numbers(db, "CA3", "", "+12125550100", "+12125550177"));
  ASSERT_COVER(false, erasures_any_tree(db, 1, &covered_));
  (void)begin_erasure(db, "+97231234567", "CA1");
  ASSERT_COVER(true, erasures_any_tree(db, 1, &covered_));
  ASSERT_COVER(false, erasures_any_tree(db, 2, &covered_));
  ASSERT_COVER(true, erasures_cover_tree(db, 1, STR("CA1"), &covered_));
  bool is_old = true;
  ASSERT_COVER(true, erasures_cover_call(db, 1, STR("CA2"), &covered_, &is_old));
  assert_false(is_old);
  ASSERT_COVER(false, erasures_cover_call(db, 1, STR("CA3"), &covered_, &is_old));
  ASSERT_COVER(true, erasures_cover_child(db, 1, STR("CA1"), &covered_));
  ASSERT_COVER(false, erasures_cover_child(db, 1, STR("CA2"), &covered_));
  ASSERT_COVER(true, erasures_cover_number(db, 1, STR("+97231234567"), &covered_));
  ASSERT_COVER(true, erasures_cover_number(db, 1, STR("+12125550199"), &covered_));
  ASSERT_COVER(false, erasures_cover_number(db, 1, STR("+12125550177"), &covered_));
  ASSERT_COVER(false, erasures_cover_number(db, 2, STR("+12125550199"), &covered_));
}

static void assert_next_call(struct db *db, int step, const char *after, const char *call, const char *top) {
  struct erasure x = {.business_id = 1, .is_number = true, .key = "+97231234567", .step = step};
  char call_sid[SID_SIZE], top_sid[SID_SIZE];
  (void)snprintf(x.after, sizeof(x.after), "%s", after);
  enum err e = erasures_next_call(db, &x, call_sid, top_sid);
  assert_int_equal(e, call ? OK : ERR_NOT_FOUND);
  if (!call) return;
  assert_string_equal(call_sid, call);
  assert_string_equal(top_sid, top);
}

static void a_numbers_calls_are_found_with_and_without_its_plus(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, put_numbers(db, "CA1", "", "+97231234567", "+1");
                 put_numbers(db, "CA2", "CA1", "+1", "97231234567"); put_numbers(db, "CA3", "", "97231234567", "+1");
                 put_numbers(db, "CA4", "", "+1", "+97231234567"));
  assert_next_call(db, 0, "", "CA1", "CA1");
  assert_next_call(db, 0, "CA1", NULL, NULL);
  assert_next_call(db, 1, "", "CA4", "CA4");
  assert_next_call(db, 2, "", "CA3", "CA3");
  assert_next_call(db, 3, "", "CA2", "CA1");
}

static void a_removed_call_leaves_its_sids_and_nothing_else(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct erasure_leg legs[4];
  struct call c;
  int count;
  bool removed;
  IN_TRANSACTION(db, put_numbers(db, "CA1", "", "+97231234567", "+1"); put_numbers(db, "CA2", "CA1", "+1", "+2");
                 (void)scratch_recording(db, 1, "RE1", "CA2", RECORDING_READY, RECORDING_RANK_REST, NOW));
  assert_ok(erasures_legs(db, 1, STR("CA1"), 4, legs, &count));
  assert_true(count == 2 && strcmp(legs[0].call_sid, "CA1") == 0 && strcmp(legs[1].call_sid, "CA2") == 0);
  assert_true(!legs[0].parent_call_sid[0] && strcmp(legs[1].parent_call_sid, "CA1") == 0);
  assert_ok(erasures_legs(db, 1, STR("CA1"), 1, legs, &count));
  assert_int_equal(count, 1);
  IN_TRANSACTION(db, assert_ok(recordings_wipe(db, 1, STR("RE1"), STR("erased"))));
  assert_string_equal(scratch_row(db, 1, "RE1").call_sid, "CA2"); /* it has not expired */
  struct recording was = scratch_row(db, 1, "RE1"), next = was;
  next.status = RECORDING_EXPIRED;
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next));
                 assert_ok(recordings_wipe(db, 1, STR("RE1"), STR("erased"))));
  was = scratch_row(db, 1, "RE1");
  assert_true(!was.call_sid[0] && !was.url[0] && strcmp(was.expire_reason, "erased") == 0);
  assert_ok(removed_calls_has(db, 1, STR("CA2"), &removed));
  assert_false(removed);
  for (int i = 0; i < 2; i++)
    IN_TRANSACTION(db, assert_ok(removed_calls_delete(db, 1, STR("CA2"), REMOVED_DELETED, NOW)));
  assert_ok(removed_calls_has(db, 1, STR("CA2"), &removed));
  assert_true(removed);
  assert_int_equal(calls_get(db, 1, STR("CA2"), &c), ERR_NOT_FOUND);
  IN_TRANSACTION(db, assert_ok(removed_calls_purge(db, 1, 1, &removed)));
  assert_true(removed);
  IN_TRANSACTION(db, assert_ok(removed_calls_purge(db, 1, 1, &removed)));
  assert_false(removed);
  assert_ok(removed_calls_has(db, 1, STR("CA2"), &removed));
  assert_false(removed);
}

static enum removed_kind kind_of(struct db *db, const char *sid) {
  enum removed_kind kind = REMOVED_KIND_COUNT_;
  assert_ok(removed_calls_find(db, 1, str_from(sid), &kind));
  return kind;
}

static void a_removed_call_says_why_unless_it_is_there(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  bool has;
  IN_TRANSACTION(db, put_numbers(db, "CA2", "CA1", "+1", "+2");
                 assert_ok(removed_calls_add(db, 1, STR("CA1"), REMOVED_RELATED, NOW));
                 assert_ok(removed_calls_add(db, 1, STR("CA2"), REMOVED_RELATED, NOW)));
  assert_int_equal(kind_of(db, "CA1"), REMOVED_RELATED);
  assert_int_equal(kind_of(db, "CA2"), REMOVED_NOT);
  assert_int_equal(kind_of(db, "CA3"), REMOVED_NOT);
  assert_ok(calls_has_child(db, 1, STR("CA1"), &has));
  assert_true(has);
  assert_ok(calls_has_child(db, 1, STR("CA2"), &has));
  assert_false(has);
  IN_TRANSACTION(db, put_numbers(db, "CA1", "", "+1", "+2"));
  assert_int_equal(kind_of(db, "CA1"), REMOVED_NOT); /* a legal hold let it come */
  IN_TRANSACTION(db, assert_ok(removed_calls_delete(db, 1, STR("CA1"), REMOVED_OLD, NOW));
                 assert_ok(removed_calls_delete(db, 1, STR("CA2"), REMOVED_DELETED, NOW));
                 assert_ok(removed_calls_add(db, 1, STR("CA2"), REMOVED_RELATED, NOW)));
  assert_int_equal(kind_of(db, "CA1"), REMOVED_OLD);
  assert_int_equal(kind_of(db, "CA2"), REMOVED_DELETED);
}

static enum err words_add_hold(void *arg, const struct hold *hold) {
  words_add(arg, hold->key);
  return OK;
}

static void holds_are_listed_and_cover_whole_calls(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct hold h = {.business_id = 1, .key = "RE1", .reason = "court", .by = "key:1", .at = NOW}, found;
  struct words w = {""};
  int64_t id, number_id;
  IN_TRANSACTION(db, put_numbers(db, "CA1", "", "+97231234567", "+1");
                 put_numbers(db, "CA2", "CA1", "+1", "12125550100"); put_numbers(db, "CA3", "", "+3", "+4");
                 (void)scratch_recording(db, 1, "RE1", "CA2", RECORDING_READY, RECORDING_RANK_REST, NOW));
  ASSERT_COVER(false, holds_cover_tree(db, 1, STR("CA1"), &covered_));
  IN_TRANSACTION(db, assert_ok(holds_set(db, &h, &id)));
  ASSERT_COVER(true, holds_cover_tree(db, 1, STR("CA1"), &covered_));
  ASSERT_COVER(false, holds_cover_tree(db, 1, STR("CA3"), &covered_));
  ASSERT_COVER(true, holds_in_force(db, 1, &covered_));
  assert_ok(holds_get(db, 1, id, &found));
  IN_TRANSACTION(db, assert_ok(holds_remove(db, &found)));
  assert_int_equal(holds_get(db, 1, id, &found), ERR_NOT_FOUND);
  ASSERT_COVER(false, holds_in_force(db, 1, &covered_));
  (void)snprintf(h.key, sizeof(h.key), "+12125550100");
  IN_TRANSACTION(db, assert_ok(holds_set(db, &h, &number_id)));
  ASSERT_COVER(true, holds_cover_tree(db, 1, STR("CA1"), &covered_));
  assert_ok(holds_each(db, 1, 0, 9, words_add_hold, &w));
  assert_string_equal(w.text, "+12125550100");
  assert_ok(holds_each(db, 1, number_id, 9, words_add_hold, &w));
  assert_string_equal(w.text, "+12125550100");
  struct call c;
  assert_ok(calls_get(db, 1, STR("CA2"), &c));
  assert_non_null(strstr(c.hold, "court"));
  assert_ok(calls_get(db, 1, STR("CA3"), &c));
  assert_string_equal(c.hold, "");
}

static bool is_covered(struct db *db, const char *top) {
  bool covered;
  assert_ok(holds_cover_tree(db, 1, str_from(top), &covered));
  return covered;
}

static void a_hold_on_a_number_covers_addresses_that_name_it(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  static const struct {
    const char *address;
    bool covered;
  } cases[] = {{"sip:+97231234567@a.example", true},
               {"sip:97231234567@10.0.0.1:5060", true},
               {"whatsapp:+97231234567", true},
               {"tel:+972-3-123-4567", true},
               {"client:97231234567", true},
               {"0097231234567", true},
               {"sip:+972312345678@a.example", false},
               {"client:dana", false},
               {"+1", false}};
  struct hold h = {.business_id = 1, .key = "+97231234567", .reason = "court", .by = "key:1", .at = NOW};
  struct hold later = {.business_id = 1, .key = "CA0", .reason = "later", .by = "key:1", .at = NOW};
  int64_t id;
  IN_TRANSACTION(db, assert_ok(holds_set(db, &h, &id)); assert_ok(holds_set(db, &later, &id)));
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char top[8], leg[8], sid[8];
    (void)snprintf(top, sizeof(top), "CA%zu", i);
    (void)snprintf(leg, sizeof(leg), "CB%zu", i);
    (void)snprintf(sid, sizeof(sid), "RE%zu", i);
    IN_TRANSACTION(db, put_numbers(db, top, "", "+1", "+2"); put_numbers(db, leg, top, "+1", cases[i].address);
                   (void)scratch_recording(db, 1, sid, top, RECORDING_READY, RECORDING_RANK_REST, NOW));
    bool held;
    struct recording row = scratch_row(db, 1, sid);
    assert_ok(holds_cover(db, &row, &held));
    assert_int_equal(held, cases[i].covered);
    assert_int_equal(is_covered(db, top), cases[i].covered);
    struct call c;
    assert_ok(calls_get(db, 1, str_from(leg), &c));
    assert_ok(holds_show_address(db, &c));
    assert_int_equal(!!strstr(c.hold, "court"), cases[i].covered && i > 0);
    assert_int_equal(!!strstr(c.hold, "later"), i == 0);
  }
  for (bool more = true; more;) IN_TRANSACTION(db, assert_ok(holds_mark_part(db, 4, &more)));
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char sid[8];
    (void)snprintf(sid, sizeof(sid), "RE%zu", i);
    assert_int_equal(!!strstr(scratch_row(db, 1, sid).hold, "court"), cases[i].covered);
  }
  begin_erasure(db, "CA1", "CA1");
  ASSERT_COVER(true, erasures_cover_number(db, 1, STR("+97231234567"), &covered_));
  ASSERT_COVER(false, erasures_cover_number(db, 1, STR("+97231234568"), &covered_));
}

static void a_call_has_expired_when_all_its_recordings_have(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, scratch_call(db, 1, "CA1", "", NOW); scratch_call(db, 1, "CA2", "CA1", NOW));
  ASSERT_COVER(false, holds_tree_has_expired(db, 1, STR("CA1"), &covered_));
  IN_TRANSACTION(db, (void)scratch_recording(db, 1, "RE1", "CA2", RECORDING_EXPIRED, RECORDING_RANK_REST, NOW));
  ASSERT_COVER(true, holds_tree_has_expired(db, 1, STR("CA1"), &covered_));
  IN_TRANSACTION(db, (void)scratch_recording(db, 1, "RE2", "CA1", RECORDING_MISSING, RECORDING_RANK_REST, NOW));
  ASSERT_COVER(false, holds_tree_has_expired(db, 1, STR("CA1"), &covered_));
}

static void a_business_knows_its_own_numbers(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t id = scratch_business(db, "one");
  IN_TRANSACTION(db, assert_ok(db_run(db, "insert into business_numbers (business_id, number) values (?1, ?2)",
                                      DB_INT(id), DB_TEXT(STR("+97231234567")))));
  ASSERT_COVER(true, businesses_has_number(db, id, STR("+97231234567"), &covered_));
  ASSERT_COVER(false, businesses_has_number(db, id, STR("+97231234568"), &covered_));
}
