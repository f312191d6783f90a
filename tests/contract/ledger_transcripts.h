/* ledger_transcripts.h - transcripts: their states and versions, the pieces that are heard, and the words they are found by. */
#pragma once

#include "ledger_contract.h"

#include "ledger/businesses_speech.h"
#include "ledger/calls_list.h"
#include "ledger/speech_days.h"
#include "ledger/speech_slots.h"
#include "ledger/transcript_terms.h"
#include "ledger/transcripts.h"

static struct recording transcript_recording(struct db *db, int64_t business, const char *sid, const char *call_sid,
                                             const char *etag) {
  IN_TRANSACTION(db, scratch_call(db, business, call_sid, "", NOW);
                 (void)scratch_recording(db, business, sid, call_sid, RECORDING_READY, RECORDING_RANK_REST, NOW));
  struct recording was = scratch_row(db, business, sid), next = was;
  (void)snprintf(next.etag, sizeof(next.etag), "%s", etag);
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next)));
  return scratch_row(db, business, sid);
}

static struct transcript transcript_ask(struct db *db, const struct recording *r, int rank, bool force) {
  struct transcript t;
  IN_TRANSACTION(db, assert_ok(transcripts_request(db, r, rank, force, NOW, &t)));
  return t;
}

static enum err transcript_claim(struct db *db, const char *owner, int64_t now, struct task *ret_task,
                                 struct transcript *ret_row) {
  struct tasks_turn turn = {{0}};
  enum err e;
  IN_TRANSACTION(db, assert_ok(tasks_maintain(db, now, 10));
                 e = tasks_claim(db, TASK_TRANSCRIBE, 2, &turn, str_from(owner), now, ret_task);
                 if (e == OK) assert_ok(transcripts_begin(db, ret_task, now, ret_row)));
  return e;
}

static void transcript_content_of(int64_t business, const char *document, const struct transcript_segment *segments,
                                  size_t count, struct transcript_content *c) {
  assert_ok(transcript_content_make(business, str_from(document), segments, count, c));
}

static const struct transcript_segment TWO_SEGMENTS[] = {
    {1000, 2500, VIEW("customer"), VIEW("Hello, I'd like to cancel\nmy plan.")},
    {3000, 4000, VIEW("agent"), VIEW("והמנויים? המנוי שלכם, בבקשה")},
};

static void transcript_make(struct db *db, const struct recording *r, const struct transcript_segment *segments,
                            size_t count) {
  const struct transcript_result result = {"openai", "tiny.en", "en", 5000};
  struct transcript_content c CLEANUP(transcript_content_done) = TRANSCRIPT_CONTENT;
  struct task task;
  struct transcript t;
  int64_t version;
  (void)transcript_ask(db, r, RECORDING_RANK_REST, true);
  assert_ok(transcript_claim(db, "w", NOW, &task, &t));
  transcript_content_of(r->business_id, "{\"segments\":[]}", segments, count, &c);
  IN_TRANSACTION(db, assert_ok(transcripts_finish(db, &task, &result, &c, NOW + 10, &version)));
}

static enum err words_add_answer(void *arg, int channel, int piece, struct str answer) {
  char text[64];
  (void)snprintf(text, sizeof(text), "%d.%d=%.*s", channel, piece, STR_ARG(answer));
  words_add(arg, text);
  return OK;
}

static void a_transcript_is_asked_for_made_and_made_anew(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t business = scratch_business(db, "b"), version, count;
  struct recording r = transcript_recording(db, business, "RE1", "CA1", "\"1\"");
  struct transcript t;
  struct task task, other;
  bool more;
  assert_int_equal(transcripts_find(db, business, STR("RE1"), &t), ERR_NOT_FOUND);
  assert_false(r.transcript_asked);
  t = transcript_ask(db, &r, RECORDING_RANK_REST, false);
  assert_true(scratch_row(db, business, "RE1").transcript_asked);
  assert_true(t.status == TRANSCRIPT_QUEUED && t.run == 1 && !t.version && strcmp(t.etag, "\"1\"") == 0);
  t = transcript_ask(db, &r, RECORDING_RANK_PLAY, false);
  assert_true(t.status == TRANSCRIPT_QUEUED && t.run == 1);
  assert_ok(tasks_count(db, TASK_TRANSCRIBE, business, 9, &count));
  assert_int_equal(count, 1);
  assert_ok(transcript_claim(db, "w1", NOW, &task, &t));
  assert_true(t.status == TRANSCRIPT_RUNNING && task.rank == RECORDING_RANK_PLAY);
  assert_int_equal(transcript_claim(db, "w2", NOW, &other, &t), ERR_NOT_FOUND);
  IN_TRANSACTION(db, assert_ok(transcripts_set_pieces(db, &task, 3, NOW));
                 assert_ok(transcripts_piece_put(db, &task, 1, 0, 0, STR("a"), NOW));
                 assert_ok(transcripts_piece_put(db, &task, 1, 0, 0, STR("again"), NOW));
                 assert_int_equal(transcripts_piece_put(db, &task, 2, 0, 1, STR("x"), NOW), ERR_CONFLICT));
  /* its worker dies: another one continues, and nothing that the first one sends counts */
  assert_ok(transcript_claim(db, "w2", NOW + TASK_LEASE_MS, &other, &t));
  assert_true(t.pieces_done == 1 && t.pieces_all == 3);
  IN_TRANSACTION(db, assert_int_equal(transcripts_piece_put(db, &task, 1, 1, 0, STR("x"), NOW), ERR_CONFLICT);
                 assert_ok(transcripts_piece_put(db, &other, 1, 1, 0, STR("b"), NOW)));
  struct words w = {""};
  assert_ok(transcripts_pieces_each(db, business, STR("RE1"), 1, words_add_answer, &w));
  assert_string_equal(w.text, "0.0=a 1.0=b");
  struct buf answer CLEANUP(buf_done) = BUF_INIT(TRANSCRIPT_ANSWER_MAX);
  assert_ok(transcripts_piece_get(db, business, STR("RE1"), 1, 1, 0, &answer));
  assert_true(str_eq(buf_str(&answer), STR("b")));
  assert_int_equal(transcripts_piece_get(db, business, STR("RE1"), 1, 1, 9, &answer), ERR_NOT_FOUND);
  /* the engine is gone for a while */
  IN_TRANSACTION(db, assert_ok(transcripts_wait(db, &other, TRANSCRIPT_ERROR_ENGINE_UNREACHABLE, NOW + 50000, NOW)));
  assert_ok(transcripts_find(db, business, STR("RE1"), &t));
  assert_true(t.status == TRANSCRIPT_QUEUED && t.error == TRANSCRIPT_ERROR_ENGINE_UNREACHABLE &&
              t.failing_since == NOW);
  assert_int_equal(transcript_claim(db, "w1", NOW + 1000, &task, &t), ERR_NOT_FOUND);
  assert_ok(transcript_claim(db, "w1", NOW + 50000, &task, &t));
  assert_int_equal(task.attempts, 0); /* that says nothing about the recording */
  const struct transcript_result result = {"openai", "base", "he", 5000};
  struct transcript_content c CLEANUP(transcript_content_done) = TRANSCRIPT_CONTENT;
  transcript_content_of(business, "{\"a\":1}", TWO_SEGMENTS, 2, &c);
  IN_TRANSACTION(db, assert_ok(transcripts_finish(db, &task, &result, &c, NOW + 60000, &version)));
  assert_ok(transcripts_find(db, business, STR("RE1"), &t));
  assert_true(version == 1 && t.version == 1 && t.status == TRANSCRIPT_READY && t.error == TRANSCRIPT_ERROR_NONE);
  assert_string_equal(t.language, "he");
  assert_ok(tasks_count(db, TASK_TRANSCRIBE, 0, 9, &count));
  assert_int_equal(count, 0);
  t = transcript_ask(db, &r, RECORDING_RANK_REST, false); /* it is there */
  assert_true(t.status == TRANSCRIPT_READY && t.run == 1);
  (void)snprintf(r.etag, sizeof(r.etag), "\"2\"");
  t = transcript_ask(db, &r, RECORDING_RANK_REST, false); /* other bytes */
  assert_true(t.status == TRANSCRIPT_QUEUED && t.run == 2 && t.version == 1);
  assert_ok(transcript_claim(db, "w1", NOW + 70000, &task, &t));
  IN_TRANSACTION(db, assert_ok(transcripts_fail(db, &task, TRANSCRIPT_ERROR_NO_SPEECH, NOW + 70000)));
  t = transcript_ask(db, &r, RECORDING_RANK_REST, false);
  assert_true(t.status == TRANSCRIPT_QUEUED && t.run == 3);
  IN_TRANSACTION(db, assert_ok(transcripts_forget_pieces(db, business, STR("RE1"), 2, 1, &more)); assert_true(more);
                 assert_ok(transcripts_forget_pieces(db, business, STR("RE1"), INT64_MAX, 9, &more)));
  assert_false(more);
  r.status = RECORDING_MISSING;
  IN_TRANSACTION(db, assert_int_equal(transcripts_request(db, &r, 0, true, NOW, &t), ERR_CONFLICT));
}

static void a_transcript_moves_only_where_it_may(void **state) {
  (void)state;
  const char *const moves[TRANSCRIPT_STATUS_COUNT_] = {[TRANSCRIPT_QUEUED] = ".rq..",
                                                       [TRANSCRIPT_RUNNING] = ".rqdf",
                                                       [TRANSCRIPT_READY] = "q....",
                                                       [TRANSCRIPT_FAILED] = "q....",
                                                       [TRANSCRIPT_REMOVED] = "....."};
  const char letters[] = {
      [TRANSCRIPT_QUEUED] = 'q', [TRANSCRIPT_RUNNING] = 'r', [TRANSCRIPT_READY] = 'd', [TRANSCRIPT_FAILED] = 'f'};
  for (int s = 0; s < TRANSCRIPT_STATUS_COUNT_; s++)
    for (int e = TRANSCRIPT_ASK; e <= TRANSCRIPT_FAIL; e++) {
      enum transcript_status next;
      bool moved = transcript_next((enum transcript_status)s, (enum transcript_event)e, &next);
      assert_int_equal(moved ? letters[next] : '.', moves[s][e]);
    }
}

static void corrections_are_versions_that_stay_readable(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t business = scratch_business(db, "b"), version;
  struct recording r = transcript_recording(db, business, "RE1", "CA1", "\"1\"");
  transcript_make(db, &r, TWO_SEGMENTS, 2);
  struct transcript_content c CLEANUP(transcript_content_done) = TRANSCRIPT_CONTENT;
  const struct transcript_segment corrected = {0, 10, VIEW("agent"), VIEW("Refund.")};
  transcript_content_of(business, "{\"b\":2}", &corrected, 1, &c);
  IN_TRANSACTION(
      db,
      assert_int_equal(transcripts_edit(db, business, STR("RE1"), 7, &c, STR("user:d"), NOW, &version), ERR_CONFLICT);
      assert_int_equal(transcripts_edit(db, business, STR("RE9"), 1, &c, STR("user:d"), NOW, &version), ERR_NOT_FOUND);
      assert_ok(transcripts_edit(db, business, STR("RE1"), 1, &c, STR("user:d"), NOW + 20, &version)));
  struct transcript t;
  assert_ok(transcripts_find(db, business, STR("RE1"), &t));
  assert_true(t.version == 2 && t.edited_at == NOW + 20 && strcmp(t.edited_by, "user:d") == 0);
  const char *const documents[] = {"{\"b\":2}", "{\"segments\":[]}", "{\"b\":2}"};
  for (int64_t v = 0; v <= 2; v++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(TRANSCRIPT_DOCUMENT_MAX);
    struct transcript_version got;
    assert_ok(transcripts_read(db, business, STR("RE1"), v, &got, &b));
    assert_int_equal(got.version, v ? v : 2);
    assert_true(str_eq(buf_str(&b), str_from(documents[v])));
    assert_string_equal(got.edited_by, v == 1 ? "" : "user:d");
  }
  struct buf none CLEANUP(buf_done) = BUF_INIT(TRANSCRIPT_DOCUMENT_MAX);
  struct transcript_version got;
  assert_int_equal(transcripts_read(db, business, STR("RE1"), 3, &got, &none), ERR_NOT_FOUND);
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  assert_ok(db_query_once(db, &q, "select final_transcript from call_log where call_sid = 'CA1'", DB_VALUES_()));
  assert_ok(db_next(&q));
  assert_true(str_eq(db_text(&q, 0), STR("Refund.\n")));
}

static enum err words_add_match(void *arg, const struct transcript_match *m) {
  char text[256];
  int n = snprintf(text, sizeof(text), "%lld:%.*s", (long long)m->start_ms, STR_ARG(m->speaker));
  for (size_t i = 0; i < m->at_count; i++)
    n += snprintf(text + n, sizeof(text) - (size_t)n, "[%u,%u]", m->at[i].from, m->at[i].to);
  words_add(arg, text);
  return OK;
}

static void words_of_a_transcript_are_found_where_they_are(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t business = scratch_business(db, "b"), other = scratch_business(db, "c");
  struct recording r = transcript_recording(db, business, "RE1", "CA1", "\"1\"");
  const struct transcript_segment segments[] = {
      {0, 900, VIEW("customer"), VIEW("Hello, I'd like to cancel my plan-B.")},
      {1000, 1900, VIEW("agent"), VIEW("והמנוי שלכם? שָׁלוֹם, צה\"ל ולשלום")},
      {2000, 2900, VIEW("customer"), VIEW("cancel the plan: Müller 050-1234567")},
      {3000, 3900, STR_NONE, VIEW("cancel")},
  };
  transcript_make(db, &r, segments, COUNT_OF(segments));
  const struct {
    const char *search, *expected;
  } cases[] = {
      {"cancel", "0:customer[19,25] 2000:customer[0,6] 3000:[0,6]"},
      {"PLAN cancel", "0:customer[19,25][29,33] 2000:customer[0,6][11,15] 3000:[0,6]"},
      {"muller", "2000:customer[17,23]"},
      {"id", "0:customer[7,10]"},
      {"1234567", "2000:customer[28,35]"},
      {"מנוי", "1000:agent[0,6]"},
      {"שלום", "1000:agent[13,20][27,33]"},
      {"צה״ל", "1000:agent[22,26]"},
      {"שלומ", "1000:agent[13,20][27,33]"},
      {"can", ""},
      {"cancel nothing", ""},
      {"---", ""},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct words w = {""};
    struct transcript_query query;
    assert_ok(transcript_query_parse(str_from(cases[i].search), &query));
    assert_ok(transcripts_matches(db, business, STR("RE1"), &query, 3, words_add_match, &w));
    assert_string_equal(w.text, cases[i].expected);
    struct words none = {""};
    assert_ok(transcripts_matches(db, other, STR("RE1"), &query, 3, words_add_match, &none));
    assert_string_equal(none.text, "");
  }
}

static void assert_search(struct db *db, int64_t business, const struct calls_filter *like, const char *search,
                          const char *expected) {
  struct calls_filter f = *like;
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  size_t count;
  bool more;
  f.search = str_from(search);
  if (!f.limit) f.limit = 25;
  assert_ok(calls_list_page(db, business, &f, keys, &count, &more));
  struct words w = {""};
  for (size_t i = 0; i < count; i++) words_add(&w, keys[i].call_sid);
  assert_string_equal(w.text, expected);
}

/* Has the rows written that searches read, and those deleted that none is to find. */
static void transcript_settle_terms(struct db *db) {
  int64_t business = 0;
  bool is_due;
  do {
    int count;
    IN_TRANSACTION(db, assert_ok(transcript_terms_update(db, &business, 4, &count)));
    assert_ok(transcript_terms_are_due(db, &is_due));
  } while (is_due);
}

static void a_search_of_calls_finds_words_of_transcripts(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t business = scratch_business(db, "b"), other = scratch_business(db, "c");
  const struct transcript_segment first[] = {{0, 900, STR_NONE, VIEW("Please cancel it")},
                                             {1000, 1900, STR_NONE, VIEW("והמנוי שלכם")}},
                                  second = {0, 900, STR_NONE, VIEW("cancel the refund")};
  struct recording r = transcript_recording(db, business, "RE1", "CA1", "\"1\"");
  transcript_make(db, &r, first, 2);
  r = transcript_recording(db, business, "RE2", "CA2", "\"1\"");
  transcript_make(db, &r, &second, 1);
  r = transcript_recording(db, other, "RE1", "CA1", "\"1\"");
  transcript_make(db, &r, &second, 1);
  for (int i = 10; i < 40; i++) {
    char sid[16], call[16];
    (void)snprintf(sid, sizeof(sid), "RE%d", i);
    (void)snprintf(call, sizeof(call), "CA%d", i);
    r = transcript_recording(db, other, sid, call, "\"1\"");
    transcript_make(db, &r, first, 2);
  }
  const struct calls_filter any = {.limit = 25}, legs = {.all_legs = true}, one = {.limit = 1},
                            longest = {.sort = CALLS_LONGEST}, oldest = {.sort = CALLS_OLDEST},
                            of_agent = {.agent = STR("nobody")}, few = {.few = 1, .limit = 1};
  for (int is_settled = 0; is_settled < 2; is_settled++) {
    if (is_settled) transcript_settle_terms(db);
    assert_search(db, business, &any, "cancel", "CA2 CA1");
    assert_search(db, business, &any, "cancel refund", "CA2");
    assert_search(db, business, &any, "REFUND", "CA2");
    assert_search(db, business, &any, "מנוי", "CA1");
    assert_search(db, business, &any, "please מנוי", "CA1");
    assert_search(db, business, &any, "canc", "");
    assert_search(db, business, &legs, "cancel", "CA2 CA1");
    assert_search(db, business, &one, "cancel", "CA2");
    assert_search(db, business, &few, "cancel", "CA2");
    assert_search(db, business, &longest, "refund", "CA2");
    assert_search(db, business, &oldest, "cancel", "CA1 CA2");
    assert_search(db, business, &of_agent, "cancel", "");
    assert_search(db, other, &any, "refund", "CA1");
  }
  int64_t total;
  bool exact;
  assert_ok(calls_list_count(db, business, &(struct calls_filter){.search = STR("cancel")}, &total, &exact));
  assert_true(total == 2 && exact);
  /* the one that expires is found no more */
  struct recording was = scratch_row(db, business, "RE2"), next = was;
  next.status = RECORDING_EXPIRED;
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next)));
  assert_search(db, business, &any, "cancel", "CA1");
  transcript_settle_terms(db);
  assert_search(db, business, &any, "cancel", "CA1");
}

static void a_transcript_goes_with_its_recording(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t business = scratch_business(db, "b"), count;
  struct recording r = transcript_recording(db, business, "RE1", "CA1", "\"1\"");
  struct transcript t;
  struct task task;
  bool more;
  transcript_make(db, &r, TWO_SEGMENTS, 2);
  assert_int_equal(count_of(db, "select sum(transcribed) from recordings"), 1);
  (void)transcript_ask(db, &r, RECORDING_RANK_REST, true);
  assert_ok(transcript_claim(db, "w", NOW, &task, &t));
  IN_TRANSACTION(db, assert_ok(transcripts_piece_put(db, &task, t.run, 0, 0, STR("a"), NOW));
                 assert_ok(transcripts_piece_put(db, &task, t.run, 0, 1, STR("b"), NOW)));
  struct recording was = scratch_row(db, business, "RE1"), next = was;
  next.status = RECORDING_EXPIRED;
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next)));
  assert_int_equal(transcripts_find(db, business, STR("RE1"), &t), ERR_NOT_FOUND);
  assert_int_equal(count_of(db, "select count(*) from transcript_texts"), 0);
  assert_int_equal(count_of(db, "select sum(transcribed) from recordings"), 0);
  IN_TRANSACTION(db, assert_int_equal(transcripts_piece_put(db, &task, 2, 0, 2, STR("c"), NOW), ERR_CONFLICT));
  assert_ok(tasks_count(db, TASK_TRANSCRIBE, 0, 9, &count));
  assert_int_equal(count, 0);
  int parts = 0;
  for (more = true; more; parts++)
    IN_TRANSACTION(db, assert_ok(transcripts_remove(db, business, STR("RE1"), 1, &more)));
  assert_int_equal(parts, 4);
  assert_int_equal(count_of(db,
                            "select (select count(*) from transcripts) + (select count(*) from transcript_versions)"
                            " + (select count(*) from transcript_pieces)"),
                   0);
  struct recording second = transcript_recording(db, business, "RE2", "CA2", "\"1\"");
  transcript_make(db, &second, TWO_SEGMENTS, 2);
  int purged;
  IN_TRANSACTION(db, assert_ok(transcripts_purge(db, business, 1, &purged)));
  assert_int_equal(purged, 1);
  IN_TRANSACTION(db, assert_ok(transcripts_purge(db, business, 9, &purged)));
  assert_int_equal(purged, 1);
}

static void a_business_says_what_is_transcribed(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t business = scratch_business(db, "b");
  struct business_speech s;
  bool other;
  const struct str asked = STR("asked"), hebrew = STR("iw-IL"), words = STR("Acme, מנוי"), none = STR(""),
                   wrong = STR("some");
  const struct business_edit edit = {.transcribe = &asked, .language = &hebrew, .vocabulary = &words},
                             clear = {.transcribe = &none, .vocabulary = &none}, bad = {.transcribe = &wrong},
                             bad_language = {.language = &words};
  assert_ok(businesses_speech_get(db, business, &s));
  assert_true(s.transcribe == TRANSCRIBE_DEFAULT && !s.language[0] && !s.vocabulary[0]);
  IN_TRANSACTION(db, assert_ok(businesses_set(db, scratch_seal_key, business, &edit, &other));
                 assert_int_equal(businesses_set(db, scratch_seal_key, business, &bad, &other), ERR_INVALID);
                 assert_int_equal(businesses_set(db, scratch_seal_key, business, &bad_language, &other), ERR_INVALID));
  assert_ok(businesses_speech_get(db, business, &s));
  assert_true(s.transcribe == TRANSCRIBE_ASKED && strcmp(s.language, "iw-IL") == 0);
  assert_string_equal(s.vocabulary, "Acme, מנוי");
  IN_TRANSACTION(db, assert_ok(businesses_set(db, scratch_seal_key, business, &clear, &other)));
  assert_ok(businesses_speech_get(db, business, &s));
  assert_true(s.transcribe == TRANSCRIBE_DEFAULT && strcmp(s.language, "iw-IL") == 0 && !s.vocabulary[0]);
  assert_int_equal(businesses_speech_get(db, 999, &s), ERR_NOT_FOUND);
}

static void an_engines_place_is_for_one_at_a_time(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  const char names[2][SPEECH_SLOT_SIZE] = {"one", "two"};
  struct speech_slot a, b, c;
  int64_t at;
  IN_TRANSACTION(db, assert_ok(speech_slots_take(db, names, 2, 9, STR("w1"), NOW, &a, &at));
                 assert_ok(speech_slots_take(db, names, 2, 9, STR("w2"), NOW + 1, &b, &at));
                 assert_int_equal(speech_slots_take(db, names, 2, 9, STR("w3"), NOW, &c, &at), ERR_NOT_FOUND));
  assert_true(a.index == 0 && b.index == 1 && at == NOW + TASK_LEASE_MS);
  IN_TRANSACTION(db, assert_ok(speech_slots_renew(db, &a, NOW + 20000));
                 assert_ok(speech_slots_give(db, &b, true, NOW + 9000));
                 assert_int_equal(speech_slots_renew(db, &b, NOW), ERR_CONFLICT);
                 assert_int_equal(speech_slots_take(db, names, 2, 9, STR("w3"), NOW, &c, &at), ERR_NOT_FOUND));
  assert_int_equal(at, NOW + 9000);
  IN_TRANSACTION(db,
                 assert_int_equal(speech_slots_take(db, names, 2, 1, STR("w3"), NOW + 9000, &c, &at), ERR_NOT_FOUND);
                 assert_ok(speech_slots_take(db, names, 2, 2, STR("w3"), NOW + 9000, &c, &at));
                 assert_ok(speech_slots_return(db, &c)));
  assert_true(c.index == 1 && c.failures == 1 && c.lease_token == 2);
  IN_TRANSACTION(db, assert_ok(speech_slots_give(db, &a, false, 0));
                 assert_ok(speech_slots_take(db, names, 2, 2, STR("w3"), NOW + 9000, &c, &at)));
  assert_true(c.index == 0 && c.failures == 0);
}

static void what_engines_did_is_summed_by_day(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  const int64_t day = 24 * 3600 * 1000;
  const struct speech_use piece = {.pieces = 1, .sent_ms = 28000, .took_ms = 2000};
  const struct speech_use done = {.transcripts = 1, .recorded_ms = 60000};
  struct speech_use sum;
  assert_ok(speech_days_read(db, NOW, 1, &sum));
  assert_true(sum.pieces == 0 && sum.transcripts == 0);
  IN_TRANSACTION(db, assert_ok(speech_days_add(db, &piece, NOW)); assert_ok(speech_days_add(db, &piece, NOW));
                 assert_ok(speech_days_add(db, &done, NOW)); assert_ok(speech_days_add(db, &piece, NOW - day)));
  assert_ok(speech_days_read(db, NOW, 1, &sum));
  assert_true(sum.pieces == 2 && sum.sent_ms == 56000 && sum.took_ms == 4000);
  assert_true(sum.transcripts == 1 && sum.recorded_ms == 60000);
  assert_ok(speech_days_read(db, NOW, 2, &sum));
  assert_int_equal(sum.pieces, 3);
  assert_ok(speech_days_read(db, NOW + day, 1, &sum));
  assert_int_equal(sum.pieces, 0);
}

static void held_recordings_are_read_by_their_sid(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t business = scratch_business(db, "b");
  for (int i = 0; i < 4; i++) {
    char sid[SID_SIZE], call[SID_SIZE];
    (void)snprintf(sid, sizeof(sid), "RE%d", i);
    (void)snprintf(call, sizeof(call), "CA%d", i);
    (void)transcript_recording(db, business, sid, call, "\"1\"");
  }
  IN_TRANSACTION(
      db, assert_ok(db_run(db, "update recordings set hold = ?2 where business_id = ?1 and recording_sid <> 'RE1'",
                           DB_INT(business), DB_TEXT(STR("{}")))));
  struct words seen = {""};
  assert_ok(recordings_held(db, business, STR(""), 2, words_add_recording, &seen));
  assert_string_equal(seen.text, "RE0 RE2");
  seen = (struct words){""};
  assert_ok(recordings_held(db, business, STR("RE2"), 2, words_add_recording, &seen));
  assert_string_equal(seen.text, "RE3");
}

static void transcript_answers_add(struct db *db, const char *sid, int64_t business) {
  struct recording r = transcript_recording(db, business, sid, "CA2", "\"1\"");
  struct task task;
  struct transcript t;
  (void)transcript_ask(db, &r, RECORDING_RANK_REST, true);
  assert_ok(transcript_claim(db, "w", NOW, &task, &t));
  IN_TRANSACTION(db, assert_ok(transcripts_piece_put(db, &task, t.run, 0, 0, STR("first"), NOW));
                 assert_ok(transcripts_piece_put(db, &task, t.run, 0, 1, STR("second"), NOW));
                 assert_ok(transcripts_piece_put(db, &task, t.run, 1, 0, STR("other channel"), NOW)));
}

static void assert_next_row(struct db *db, int64_t business, bool is_answer, struct transcript_place *place,
                            const char *sid, const char *text) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(TRANSCRIPT_DOCUMENT_MAX);
  enum err e =
      is_answer ? transcripts_next_answer(db, business, place, &b) : transcripts_next_version(db, business, place, &b);
  assert_int_equal(e, sid ? OK : ERR_NOT_FOUND);
  if (!sid) return;
  assert_string_equal(place->recording_sid, sid);
  assert_true(str_eq(buf_str(&b), str_from(text)));
}

static void answers_of_engines_are_walked_and_deleted(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t business = scratch_business(db, "b"), another = scratch_business(db, "c");
  struct transcript_place place = {.at = 0}, second;
  struct transcript t;
  transcript_answers_add(db, "RE1", business);
  transcript_answers_add(db, "RE2", business);
  transcript_answers_add(db, "RE1", another);
  assert_next_row(db, business, true, &place, "RE1", "first");
  assert_next_row(db, business, true, &place, "RE1", "second");
  second = place;
  assert_next_row(db, business, true, &place, "RE1", "other channel");
  assert_next_row(db, business, true, &place, "RE2", "first");
  place.at = INT64_MAX; /* behind all of the recording */
  assert_next_row(db, business, true, &place, NULL, NULL);
  IN_TRANSACTION(db, assert_ok(transcripts_delete_answer(db, business, &second)));
  assert_ok(transcripts_find(db, business, STR("RE1"), &t));
  assert_int_equal(t.pieces_done, 2);
  assert_ok(transcripts_find(db, another, STR("RE1"), &t));
  assert_int_equal(t.pieces_done, 3);
  place = (struct transcript_place){.at = 0};
  assert_next_row(db, business, true, &place, "RE1", "first");
  assert_next_row(db, business, true, &place, "RE1", "other channel");
}

static void a_version_is_replaced_and_older_ones_are_deleted(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t business = scratch_business(db, "b"), version;
  struct recording r = transcript_recording(db, business, "RE1", "CA1", "\"1\"");
  struct transcript_content c CLEANUP(transcript_content_done) = TRANSCRIPT_CONTENT,
                              edit CLEANUP(transcript_content_done) = TRANSCRIPT_CONTENT;
  struct transcript_place place = {.at = 0}, first;
  struct transcript t;
  struct transcript_version v;
  transcript_make(db, &r, TWO_SEGMENTS, 2);
  transcript_content_of(business, "{\"edit\":1}", TWO_SEGMENTS, 2, &edit);
  IN_TRANSACTION(db, assert_ok(transcripts_edit(db, business, STR("RE1"), 1, &edit, STR("dana"), NOW + 20, &version)));
  assert_next_row(db, business, false, &place, "RE1", "{\"segments\":[]}");
  first = place;
  assert_next_row(db, business, false, &place, "RE1", "{\"edit\":1}");
  assert_next_row(db, business, false, &place, NULL, NULL);
  transcript_content_of(business, "{\"without\":1}", TWO_SEGMENTS + 1, 1, &c);
  IN_TRANSACTION(db, assert_ok(transcripts_replace(db, business, STR("RE1"), &c, NOW + 30)));
  assert_ok(transcripts_find(db, business, STR("RE1"), &t));
  assert_true(t.version == 3 && t.edited_at == NOW + 20 && strcmp(t.edited_by, "dana") == 0);
  struct buf b CLEANUP(buf_done) = BUF_INIT(TRANSCRIPT_DOCUMENT_MAX);
  assert_int_equal(transcripts_read(db, business, STR("RE1"), 2, &v, &b), ERR_NOT_FOUND);
  assert_ok(transcripts_read(db, business, STR("RE1"), 0, &v, &b));
  assert_true(v.version == 3 && v.made_at == NOW + 20 && strcmp(v.edited_by, "dana") == 0);
  assert_true(str_eq(buf_str(&b), STR("{\"without\":1}")));
  struct transcript_query query;
  struct words w = {""};
  assert_ok(transcript_query_parse(STR("cancel"), &query));
  assert_ok(transcripts_matches(db, business, STR("RE1"), &query, 3, words_add_match, &w));
  assert_string_equal(w.text, "");
  place.at = 3;
  IN_TRANSACTION(db, assert_ok(transcripts_delete_version(db, business, &place)); /* the newest stays */
                 assert_ok(transcripts_delete_version(db, business, &first)));
  place = (struct transcript_place){.at = 0};
  assert_next_row(db, business, false, &place, "RE1", "{\"without\":1}");
  assert_string_equal(place.edited_by, "dana");
  (void)snprintf(place.edited_by, sizeof(place.edited_by), "X");
  IN_TRANSACTION(db, assert_ok(transcripts_set_editor(db, business, &place, NOW + 40)));
  assert_ok(transcripts_find(db, business, STR("RE1"), &t));
  assert_true(t.version == 3 && strcmp(t.edited_by, "X") == 0);
  assert_next_row(db, business, false, &place, NULL, NULL);
  assert_int_equal(transcripts_replace(db, business, STR("RE2"), &c, NOW), ERR_NOT_FOUND);
}
