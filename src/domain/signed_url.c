/* signed_url.c - signs and verifies URLs of recordings.
 *
 * Invariants
 *  (1) The signature covers version, business, recording, expiry and id: "2:{business}:{sid}:{expiry}:{id}", or, of an
 *      earlier release, "1:{business}:{sid}:{expiry}". No part contains a ':', so different values never have the same text.
 *  (2) A value has one spelling: decimal digits without a leading zero, base64url without padding and with its
 *      unused bits zero; each parameter occurs once. So a URL can't be varied to look new in logs and counts.
 *  (3) The signature is compared before the expiry. So a client without a valid signature learns nothing. */
#include "domain/signed_url.h"

#include <string.h>

#include "ledger/settings.h"

enum { MAC_TEXT_SIZE = 43, TEXT_MAX = 160 };
#define SETTING "url_signing_key"

/* ---- the key ---- */

static enum err make_key(struct db *db, const uint8_t *secrets_key, struct buf *b) {
  uint8_t fresh[SECRET_KEY_SIZE];
  TRY(secret_random(fresh, sizeof(fresh)));
  enum err e = db_begin_immediate(db);
  if (e == OK) e = settings_put_if_absent(db, secrets_key, SETTING, str_of((const char *)fresh, sizeof(fresh)), b);
  if (e == OK) e = db_commit(db);
  if (e != OK) db_rollback(db);
  secret_wipe(fresh, sizeof(fresh));
  return e;
}

bool signed_url_older_key(const char *configured, struct hmac_key *ret_key) {
  struct str first, older;
  secret_split(configured, SIGNED_URL_KEY_MIN, &first, &older);
  if (!older.n) return false;
  hmac_key_set(ret_key, older);
  return true;
}

enum err signed_url_load_key(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], const char *configured,
                             struct hmac_key *ret_key) {
  struct buf key CLEANUP(secret_buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  if (configured) {
    struct str first, older;
    secret_split(configured, SIGNED_URL_KEY_MIN, &first, &older);
    if (first.n < SIGNED_URL_KEY_MIN) return ERR_INVALID;
    hmac_key_set(ret_key, first);
    return OK;
  }
  enum err e = settings_get(db, secrets_key, SETTING, &key);
  if (e == ERR_NOT_FOUND) e = make_key(db, secrets_key, &key);
  if (e != OK) return e;
  if (key.n != SECRET_KEY_SIZE) return ERR_CORRUPT;
  hmac_key_set(ret_key, buf_str(&key));
  return OK;
}

/* ---- the signed text ---- */

struct text {
  char bytes[TEXT_MAX];
  size_t n;
};

static void text_add(struct text *t, struct str s) {
  if (!s.n) return;
  memcpy(t->bytes + t->n, s.p, s.n);
  t->n += s.n;
}

static void text_add_number(struct text *t, int64_t number) {
  char digits[20];
  size_t at = sizeof(digits);
  do digits[--at] = (char)('0' + number % 10);
  while (number /= 10);
  text_add(t, str_of(digits + at, sizeof(digits) - at));
}

/* (1); id is empty in version 1. sid has at most SIGNED_URL_SID_MAX bytes, the numbers are not negative, so it fits. */
static void sign_text(const struct hmac_key *key, int64_t business_id, struct str sid, int64_t expiry_s, struct str id,
                      uint8_t ret_mac[SHA256_SIZE]) {
  struct text t = {.n = 0};
  text_add(&t, id.n ? STR("2:") : STR("1:"));
  text_add_number(&t, business_id);
  text_add(&t, STR(":"));
  text_add(&t, sid);
  text_add(&t, STR(":"));
  text_add_number(&t, expiry_s);
  if (id.n) text_add(&t, STR(":"));
  text_add(&t, id);
  hmac_sha256(key, str_of(t.bytes, t.n), ret_mac);
}

/* ---- writing ---- */

static bool is_sid(struct str sid) {
  for (size_t i = 0; i < sid.n; i++) {
    char c = sid.p[i];
    if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))) return false;
  }
  return sid.n > 0 && sid.n <= SIGNED_URL_SID_MAX;
}

static bool is_url_id(struct str id) {
  for (size_t i = 0; i < id.n; i++)
    if (!((id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f'))) return false;
  return id.n == SIGNED_URL_ID_SIZE - 1;
}

int64_t signed_url_expiry(int64_t ttl_s, int64_t now_ms) {
  return ((now_ms + 999) / 1000 + ttl_s) * 1000; /* never shorter than ttl_s */
}

enum err signed_url_write(const struct hmac_key *key, struct str base, int64_t business_id, struct str recording_sid,
                          struct str id, int64_t expires_at_ms, struct buf *b) {
  uint8_t mac[SHA256_SIZE];
  int64_t expiry_s = expires_at_ms / 1000;
  if (business_id <= 0 || expiry_s <= 0 || !is_sid(recording_sid) || !is_url_id(id)) return ERR_INVALID;
  size_t before = b->n;
  sign_text(key, business_id, recording_sid, expiry_s, id, mac);
  enum err e = buf_add(b, base);
  if (e == OK)
    e = buf_addf(b, "/api/recordings/%.*s/stream?b=%lld&exp=%lld&id=%.*s&sig=", STR_ARG(recording_sid),
                 (long long)business_id, (long long)expiry_s, STR_ARG(id));
  if (e == OK) e = base64url_encode(b, mac, SHA256_SIZE);
  if (e != OK) b->n = before;
  return e;
}

/* ---- reading ---- */

/* The raw value of the parameter that starts with name ("sig="), and how often it occurs. */
static unsigned count_parameter(struct str query, struct str name, struct str *ret_value) {
  struct str rest = query, each;
  unsigned count = 0;
  for (bool more = true; more;) {
    more = str_cut(rest, '&', &each, &rest);
    if (!str_starts(each, name)) continue;
    *ret_value = str_skip(each, name.n);
    count++;
  }
  return count;
}

/* (2) */
static bool find_parameter(struct str query, struct str name, struct str *ret_value) {
  return count_parameter(query, name, ret_value) == 1;
}

bool signed_url_present(struct str query) {
  struct str rest = query, each;
  for (bool more = true; more;) {
    more = str_cut(rest, '&', &each, &rest);
    if (str_starts(each, STR("sig="))) return true;
  }
  return false;
}

static bool read_number(struct str text, int64_t max, int64_t *ret_number) {
  uint64_t n;
  if (!text.n || text.p[0] == '0' || str_to_u64(text, (uint64_t)max, &n) != OK) return false;
  *ret_number = (int64_t)n;
  return true;
}

static int base64url_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Decodes 43 characters into 32 bytes; the two bits left over must be zero. Does not allocate. */
static bool read_mac(struct str text, uint8_t ret_mac[SHA256_SIZE]) {
  uint32_t bits = 0;
  unsigned held = 0, at = 0;
  if (text.n != MAC_TEXT_SIZE) return false;
  for (size_t i = 0; i < text.n; i++) {
    int value = base64url_value(text.p[i]);
    if (value < 0) return false;
    bits = (bits << 6 | (uint32_t)value) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    ret_mac[at++] = (uint8_t)(bits >> held);
  }
  return (bits & ((1u << held) - 1)) == 0;
}

static void name_bearer(const uint8_t mac[SHA256_SIZE], struct signed_url_bearer *bearer) {
  uint8_t digest[SHA256_SIZE];
  memcpy(bearer->subject, "url:", 4);
  if (bearer->id[0]) {
    memcpy(bearer->subject + 4, bearer->id, sizeof(bearer->id));
    return;
  }
  secret_sha256(str_of((const char *)mac, SHA256_SIZE), digest);
  hex_encode(digest, 4, bearer->subject + 4);
}

enum err signed_url_verify(const struct hmac_key *key, struct str recording_sid, struct str query, int64_t now_ms,
                           struct signed_url_bearer *ret_bearer) {
  struct str business = STR_NONE, expiry = STR_NONE, signature = STR_NONE, id = STR_NONE;
  struct signed_url_bearer bearer = {.business_id = 0};
  uint8_t given[SHA256_SIZE], right[SHA256_SIZE];
  int64_t expiry_s;
  if (!is_sid(recording_sid) || !find_parameter(query, STR("b="), &business) ||
      !find_parameter(query, STR("exp="), &expiry) || !find_parameter(query, STR("sig="), &signature))
    return ERR_DENIED;
  unsigned ids = count_parameter(query, STR("id="), &id);
  if (ids > 1 || (ids == 1 && !is_url_id(id))) return ERR_DENIED;
  if (!read_number(business, INT64_MAX, &bearer.business_id) || !read_number(expiry, INT64_MAX / 1000, &expiry_s) ||
      !read_mac(signature, given))
    return ERR_DENIED;
  sign_text(key, bearer.business_id, recording_sid, expiry_s, id, right);
  bool good = secret_equal(str_of((const char *)given, sizeof(given)), str_of((const char *)right, sizeof(right)));
  secret_wipe(right, sizeof(right));
  if (!good || now_ms >= expiry_s * 1000) return ERR_DENIED; /* (3) */
  bearer.expires_at_ms = expiry_s * 1000;
  if (id.n && str_copy(bearer.id, sizeof(bearer.id), id) != OK) return ERR_DENIED;
  name_bearer(given, &bearer);
  *ret_bearer = bearer;
  return OK;
}
