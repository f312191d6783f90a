/* erasure_names.c - see erasure_names.h.
 *
 * Invariants
 *  (1) after_at is the kind that is looked through. A part looks through all rows of one kind, of which a business has some
 *      thousands at most, and changes at most CHANGES_MAX of them: it comes back until it finds fewer.
 *  (2) A hold stays in force without its reason; a key opens what it opened. Sessions of a user whose name is the number end. */
#include "domain/erasure_names.h"

#include <stdlib.h>

#include "base/mention.h"
#include "ledger/businesses.h"
#include "ledger/businesses_speech.h"
#include "ledger/keys.h"
#include "ledger/sessions.h"

enum { CHANGES_MAX = 20 };

struct naming {
  struct db *db;
  struct erasure *erasure;
  struct str digits;
  struct key *keys;   /* owned, as holds: rows that name the number, not yet without it */
  struct hold *holds; /* CHANGES_MAX of each */
  int count;
  bool more;
};

static void naming_done(struct naming *n) {
  free(n->keys);
  free(n->holds);
}

static bool is_named(void *arg, struct str text) {
  const struct naming *n = arg;
  return mention_is_in(text, n->digits, MENTION_PLAIN);
}

/* Takes the number out of a text of that size. */
static enum err erase_name(struct naming *n, char *text, size_t size, bool *ret_found) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(size);
  TRY(mention_erase(str_from(text), n->digits, MENTION_PLAIN, &b, ret_found));
  if (!*ret_found) return OK;
  n->erasure->edited++;
  return str_copy(text, size, buf_str(&b));
}

static enum err add_key(void *arg, const struct key *key) {
  struct naming *n = arg;
  if (n->count < CHANGES_MAX && is_named(n, str_from(key->name))) n->keys[n->count++] = *key;
  return OK;
}

static enum err erase_in_keys(struct naming *n) {
  bool found;
  n->keys = calloc(CHANGES_MAX, sizeof(*n->keys));
  if (!n->keys) return ERR_NOMEM;
  TRY(keys_each(n->db, n->erasure->business_id, add_key, n));
  for (int i = 0; i < n->count; i++) {
    struct key *key = &n->keys[i];
    TRY(erase_name(n, key->name, sizeof(key->name), &found));
    TRY(keys_rename(n->db, n->erasure->business_id, key->key_id, str_from(key->name)));
  }
  n->more = n->count == CHANGES_MAX;
  return OK;
}

static enum err add_hold(void *arg, const struct hold *hold) {
  struct naming *n = arg;
  if (n->count < CHANGES_MAX && is_named(n, str_from(hold->reason))) n->holds[n->count++] = *hold;
  return OK;
}

static enum err erase_in_holds(struct naming *n) {
  bool found;
  n->holds = calloc(CHANGES_MAX, sizeof(*n->holds));
  if (!n->holds) return ERR_NOMEM;
  TRY(holds_each(n->db, n->erasure->business_id, 0, HOLDS_PER_BUSINESS_MAX, add_hold, n));
  for (int i = 0; i < n->count; i++) {
    TRY(erase_name(n, n->holds[i].reason, sizeof(n->holds[i].reason), &found));
    TRY(holds_set_reason(n->db, &n->holds[i]));
  }
  n->more = n->count == CHANGES_MAX;
  return OK;
}

static enum err erase_sessions(struct naming *n) {
  return sessions_end_named(n->db, n->erasure->business_id, is_named, n, &n->more);
}

static enum err erase_in_business(struct naming *n) {
  int64_t id = n->erasure->business_id;
  struct business b CLEANUP(business_done) = {0};
  struct business_speech speech;
  bool in_name, in_vocabulary;
  enum err e = businesses_get(n->db, NULL, id, &b);
  if (e == OK) e = businesses_speech_get(n->db, id, &speech);
  if (e == ERR_NOT_FOUND) return OK; /* it is removed */
  TRY(e);
  TRY(erase_name(n, b.name, sizeof(b.name), &in_name));
  TRY(erase_name(n, speech.vocabulary, sizeof(speech.vocabulary), &in_vocabulary));
  return in_name || in_vocabulary ? businesses_set_texts(n->db, id, str_from(b.name), str_from(speech.vocabulary)) : OK;
}

enum err erasure_names_part(struct db *db, struct erasure *x, bool *ret_done) {
  static enum err (*const kinds[])(struct naming * n) = {erase_in_keys, erase_in_holds, erase_sessions,
                                                         erase_in_business};
  struct naming n CLEANUP(naming_done) = {.db = db, .erasure = x, .digits = str_skip(str_from(x->key), 1)};
  TRY(kinds[x->after_at](&n)); /* (1) */
  x->after_at += !n.more;
  *ret_done = x->after_at == (int64_t)COUNT_OF(kinds);
  return OK;
}
