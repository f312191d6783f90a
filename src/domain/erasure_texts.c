/* erasure_texts.c - see erasure_texts.h.
 *
 *   ERASURE_CALLS       a leg whose from or to names the number is a call of it; another of its texts loses the number
 *   ERASURE_RECORDINGS  the fields that webhooks sent of recordings
 *   ERASURE_NOTES       notes
 *
 * Invariants
 *  (1) A part looks at ROWS_MAX rows or BYTES_MAX bytes, and changes at most CHANGES_MAX calls or recordings, or NOTES_CHANGED
 *      notes.
 *  (2) What a legal hold covers stays as it is, and is counted in held.
 *  (3) `after` is the last row that is done, so that nothing is counted twice. */
#include "domain/erasure_texts.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mention.h"
#include "domain/fields.h"
#include "ledger/notes.h"
#include "ledger/texts.h"

enum { ROWS_MAX = 100, CHANGES_MAX = 4, NOTES_CHANGED = 60, BYTES_MAX = 2 << 20, NOTES_LOOKED = NOTES_MAX + 1 };

struct looking {
  struct str digits;
  int rows, most, hits;
  size_t bytes;
  char last[SID_SIZE];     /* the last row that was looked at */
  char previous[SID_SIZE]; /* of notes: the recording before that of the last note */
  char hit[CHANGES_MAX][SID_SIZE], top[CHANGES_MAX][SID_SIZE];
  bool is_address[CHANGES_MAX];
  int64_t notes[NOTES_CHANGED]; /* of the recording hit[0] */
  int note_count;
};

static bool looking_is_full(struct looking *k) {
  return ++k->rows >= k->most || k->bytes >= BYTES_MAX;
}

static bool is_named_in(struct looking *k, struct str text, enum mention_kind kind) {
  k->bytes += text.n;
  return mention_is_in(text, k->digits, kind);
}

/* Appends the ranked document without the number. Two names of fields may have become one: the later stays. */
static enum err erase_fields(struct str fields, struct str digits, struct buf *ret_fields) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX);
  bool found;
  TRY(mention_erase(fields, digits, MENTION_JSON, &b, &found));
  if (!found) return buf_add(ret_fields, fields);
  json_t *document = json_loadb(b.p, b.n, 0, NULL);
  char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
  json_decref(document);
  enum err e = text ? buf_add(ret_fields, str_from(text)) : ERR_CORRUPT;
  free(text);
  return e;
}

/* ---- calls ---- */

/* Such a call is here still because a hold covers it, and was counted; or it came after its step. */
static bool is_number_itself(struct str address, struct str digits) {
  return str_eq(address, digits) || (str_starts(address, STR("+")) && str_eq(str_skip(address, 1), digits));
}

static enum err look_at_call(void *arg, const struct texts_call *call) {
  struct looking *k = arg;
  bool is_address = false, is_named = false;
  for (size_t i = 0; i < COUNT_OF(call->addresses); i++)
    is_address = is_named_in(k, call->addresses[i], MENTION_PLAIN) || is_address;
  for (size_t i = 0; i < COUNT_OF(call->plain) && !is_named; i++)
    is_named = is_named_in(k, call->plain[i], MENTION_PLAIN);
  for (size_t i = 0; i < COUNT_OF(call->json) && !is_named; i++) is_named = is_named_in(k, call->json[i], MENTION_JSON);
  TRY(str_copy(k->last, sizeof(k->last), call->call_sid));
  for (size_t i = 0; i < COUNT_OF(call->addresses); i++)
    if (is_number_itself(call->addresses[i], k->digits)) return looking_is_full(k) ? ERR_FULL : OK;
  if (is_address || is_named) {
    TRY(str_copy(k->hit[k->hits], SID_SIZE, call->call_sid));
    TRY(str_copy(k->top[k->hits], SID_SIZE, call->top_sid));
    k->is_address[k->hits++] = is_address;
  }
  return looking_is_full(k) || is_address || k->hits == CHANGES_MAX ? ERR_FULL : OK;
}

static enum err erase_plain(struct str digits, char *text, size_t size) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(size);
  bool found;
  TRY(mention_erase(str_from(text), digits, MENTION_PLAIN, &b, &found));
  return found ? str_copy(text, size, buf_str(&b)) : OK;
}

static enum err erase_json(struct str digits, char *text, size_t size) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(size);
  bool found;
  TRY(mention_erase(str_from(text), digits, MENTION_JSON, &b, &found));
  return found ? str_copy(text, size, buf_str(&b)) : OK;
}

static enum err erase_in_call(struct db *db, const struct erasure *x, struct str call_sid, struct str digits) {
  struct buf fields CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX),
                    without CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX);
  struct call was, c;
  TRY(calls_read(db, x->business_id, call_sid, &was, &fields));
  c = was;
  TRY(erase_fields(buf_str(&fields), digits, &without));
  TRY(erase_plain(digits, c.caller_name, sizeof(c.caller_name)));
  TRY(erase_plain(digits, c.customer_name, sizeof(c.customer_name)));
  TRY(erase_plain(digits, c.ref, sizeof(c.ref)));
  TRY(erase_plain(digits, c.agent, sizeof(c.agent)));
  TRY(erase_json(digits, c.metadata, sizeof(c.metadata)));
  TRY(erase_json(digits, c.tags, sizeof(c.tags)));
  struct str name = str_from(c.customer_name), ref = str_from(c.ref), agent = str_from(c.agent),
             metadata = str_from(c.metadata), tags = str_from(c.tags);
  const struct calls_host host = {.customer_name = strcmp(c.customer_name, was.customer_name) ? &name : NULL,
                                  .ref = &ref,
                                  .agent = strcmp(c.agent, was.agent) ? &agent : NULL,
                                  .metadata = &metadata,
                                  .tags = &tags};
  TRY(calls_set_host(db, x->business_id, call_sid, &host));
  struct call now;
  buf_clear(&fields);
  TRY(calls_read(db, x->business_id, call_sid, &now, &fields)); /* with its document of now */
  was = now;
  memcpy(now.caller_name, c.caller_name, sizeof(now.caller_name));
  return calls_put(db, &was, &now, buf_str(&without));
}

static enum err erase_calls(struct db *db, struct erasure *x, const struct looking *k) {
  for (int i = 0; i < k->hits; i++) {
    bool held;
    TRY(holds_cover_tree(db, x->business_id, str_from(k->top[i]), &held));
    x->held += held; /* (2) */
    if (!held && k->is_address[i]) {
      memcpy(x->tree_sid, k->top[i], SID_SIZE); /* `after` stays before it: (3) */
      return OK;
    }
    if (!held) TRY(erase_in_call(db, x, str_from(k->hit[i]), k->digits));
    x->edited += !held;
    memcpy(x->after, k->hit[i], SID_SIZE);
  }
  memcpy(x->after, k->last, SID_SIZE);
  return OK;
}

/* ---- recordings ---- */

static enum err look_at_recording(void *arg, struct str recording_sid, int64_t note_id, struct str text,
                                  struct str by) {
  struct looking *k = arg;
  (void)note_id;
  (void)by;
  TRY(str_copy(k->last, sizeof(k->last), recording_sid));
  if (is_named_in(k, text, MENTION_JSON)) TRY(str_copy(k->hit[k->hits++], SID_SIZE, recording_sid));
  return looking_is_full(k) || k->hits == CHANGES_MAX ? ERR_FULL : OK;
}

/* Whether its call was counted in held already, as one that names the number. */
static enum err call_is_named(struct db *db, const struct erasure *x, struct str call_sid, bool *ret_named) {
  struct looking k = {.digits = str_skip(str_from(x->key), 1)};
  struct buf fields CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX);
  struct call c;
  enum err e = calls_read(db, x->business_id, call_sid, &c, &fields);
  *ret_named = false;
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  const char *const plain[] = {c.from_number, c.to_number, c.caller_name, c.customer_name, c.ref, c.agent};
  const struct str json[] = {str_from(c.metadata), str_from(c.tags), buf_str(&fields)};
  for (size_t i = 0; i < COUNT_OF(plain); i++)
    *ret_named = *ret_named || is_named_in(&k, str_from(plain[i]), MENTION_PLAIN);
  for (size_t i = 0; i < COUNT_OF(json); i++) *ret_named = *ret_named || is_named_in(&k, json[i], MENTION_JSON);
  return OK;
}

enum err erasure_texts_held(struct db *db, struct erasure *x, struct str recording_sid, bool *ret_held) {
  struct recording row;
  bool counted;
  *ret_held = false;
  enum err e = recordings_get(db, x->business_id, recording_sid, &row);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  TRY(holds_cover(db, &row, ret_held));
  if (!*ret_held) return OK;
  TRY(call_is_named(db, x, str_from(row.call_sid), &counted));
  x->held += !counted; /* (2) */
  return OK;
}

static enum err erase_in_recording(struct db *db, const struct erasure *x, struct str sid, struct str digits) {
  struct buf fields CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX),
                    without CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX);
  TRY(recordings_fields(db, x->business_id, sid, &fields));
  TRY(erase_fields(buf_str(&fields), digits, &without));
  return recordings_set_fields(db, x->business_id, sid, buf_str(&without));
}

static enum err erase_recordings(struct db *db, struct erasure *x, const struct looking *k) {
  for (int i = 0; i < k->hits; i++) {
    bool held;
    TRY(erasure_texts_held(db, x, str_from(k->hit[i]), &held));
    if (!held) TRY(erase_in_recording(db, x, str_from(k->hit[i]), k->digits));
    x->edited += !held;
  }
  memcpy(x->after, k->last, SID_SIZE);
  return OK;
}

/* ---- notes ---- */

/* Ends at the recording that has a note which names the number: all such notes of it are one hit. */
static enum err look_at_note(void *arg, struct str recording_sid, int64_t note_id, struct str text, struct str by) {
  struct looking *k = arg;
  if (!str_eq(recording_sid, str_from(k->last))) {
    if (k->hits) return ERR_FULL;
    memcpy(k->previous, k->last, SID_SIZE);
    TRY(str_copy(k->last, sizeof(k->last), recording_sid));
  }
  k->rows++;
  if (!is_named_in(k, text, MENTION_PLAIN) && !is_named_in(k, by, MENTION_PLAIN)) return OK;
  k->hits = 1;
  memcpy(k->hit[0], k->last, SID_SIZE);
  k->notes[k->note_count++] = note_id;
  return k->note_count == NOTES_CHANGED ? ERR_FULL : OK;
}

static enum err erase_in_notes(struct db *db, const struct erasure *x, const struct looking *k) {
  for (int i = 0; i < k->note_count; i++) {
    struct note n;
    TRY(notes_get(db, x->business_id, str_from(k->hit[0]), k->notes[i], &n));
    TRY(erase_plain(k->digits, n.text, sizeof(n.text)));
    TRY(erase_plain(k->digits, n.by, sizeof(n.by)));
    TRY(notes_store(db, x->business_id, str_from(k->hit[0]), &n));
  }
  return OK;
}

static enum err erase_notes(struct db *db, struct erasure *x, const struct looking *k) {
  bool held = false, is_cut = k->rows == k->most || k->note_count == NOTES_CHANGED;
  if (k->hits) TRY(erasure_texts_held(db, x, str_from(k->hit[0]), &held));
  if (k->hits && !held) TRY(erase_in_notes(db, x, k));
  if (!held) x->edited += k->note_count;
  bool is_over = held || !is_cut; /* else the last recording may have more notes: it is looked at again, (3) */
  memcpy(x->after, is_over ? k->last : k->previous[0] ? k->previous : x->after, SID_SIZE);
  return OK;
}

/* ---- */

/* Whether the walk of this step came to its end. */
static bool is_at_end(const struct looking *k) {
  return k->rows < k->most && k->hits == 0 && k->bytes < BYTES_MAX;
}

enum err erasure_texts_part(struct db *db, struct erasure *x) {
  struct looking k = {.digits = str_skip(str_from(x->key), 1),
                      .most = x->step == ERASURE_NOTES ? NOTES_LOOKED : ROWS_MAX};
  struct str after = str_from(x->after);
  switch ((enum erasure_step)x->step) {
    case ERASURE_CALLS:
      TRY(texts_each_call(db, x->business_id, after, k.most, look_at_call, &k));
      if (k.rows) TRY(erase_calls(db, x, &k));
      break;
    case ERASURE_RECORDINGS:
      TRY(texts_each_recording(db, x->business_id, after, k.most, look_at_recording, &k));
      if (k.rows) TRY(erase_recordings(db, x, &k));
      break;
    default:
      TRY(texts_each_note(db, x->business_id, after, k.most, look_at_note, &k));
      if (k.rows) TRY(erase_notes(db, x, &k));
      break;
  }
  if (!is_at_end(&k)) return OK;
  x->after[0] = '\0';
  x->step++;
  return OK;
}
