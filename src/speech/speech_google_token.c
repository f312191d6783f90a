/* speech_google_token.c - the token of a service account: the key file, the signed assertion (RFC 7523), the answer.
 *
 * Invariants
 *  (1) The key is RSA of 2048 bits and more, and signs with RS256 only.
 *  (2) token_uri comes from the key file, which the operator wrote: it is trusted as a URL of the settings is. */
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "speech/speech_engine_parts.h"

enum { KEY_FILE_MAX = 64 * 1024, MEMBER_MAX = 512, TOKEN_MAX = 4000, LIFE_S = 3600, ASSERTION_MAX = 8192 };
#define SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define GRANT "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"

static bool is_plain(struct str s, size_t max) {
  for (size_t i = 0; i < s.n; i++) {
    if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f || s.p[i] == '"' || s.p[i] == '\\') return false;
  }
  return s.n > 0 && s.n <= max;
}

static enum err copy_member(const json_t *root, const char *name, char **ret_copy) {
  const json_t *value = json_object_get(root, name);
  struct str text = str_of(json_string_value(value), json_string_length(value));
  if (!is_plain(text, MEMBER_MAX)) return ERR_INVALID;
  *ret_copy = str_dup(text);
  return *ret_copy ? OK : ERR_NOMEM;
}

/* (1) */
static enum err read_private_key(struct speech_engine *e, const json_t *value) {
  struct str pem = str_of(json_string_value(value), json_string_length(value));
  BIO *bio = pem.n > 0 && pem.n <= KEY_FILE_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
  if (!bio) return ERR_INVALID;
  e->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) ""); /* an empty password: nothing is asked */
  BIO_free(bio);
  bool is_good = e->key && EVP_PKEY_get_base_id(e->key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(e->key) >= 2048;
  return is_good ? OK : ERR_INVALID;
}

/* A segment of the URL's path. */
static bool is_path_part(const char *text) {
  for (; *text; text++) {
    char c = *text;
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!is_letter && !strchr("-_.:", c)) return false;
  }
  return true;
}

enum err speech_google_read_key(struct speech_engine *e, struct str json) {
  struct fetch_url url;
  if (json.n == 0 || json.n > KEY_FILE_MAX) return ERR_INVALID;
  json_t *root = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, NULL);
  enum err error = json_is_object(root) ? OK : ERR_INVALID;
  if (error == OK) error = copy_member(root, "project_id", &e->project);
  if (error == OK) error = copy_member(root, "client_email", &e->email);
  if (error == OK) error = copy_member(root, "token_uri", &e->token_url);
  if (error == OK) error = read_private_key(e, json_object_get(root, "private_key"));
  if (error == OK && (!is_path_part(e->project) || fetch_url_parse(str_from(e->token_url), &url) != OK))
    error = ERR_INVALID;
  json_decref(root);
  return error;
}

static enum err add_part(struct buf *b, struct str text) {
  return base64url_encode(b, (const uint8_t *)text.p, text.n);
}

static enum err add_signature(const struct speech_engine *e, struct buf *b) {
  uint8_t signature[1024];
  size_t n = sizeof(signature);
  EVP_MD_CTX *signer = EVP_MD_CTX_new();
  bool ok = signer && EVP_DigestSignInit(signer, NULL, EVP_sha256(), NULL, e->key) == 1 &&
            EVP_DigestSign(signer, signature, &n, (const unsigned char *)b->p, b->n) == 1;
  EVP_MD_CTX_free(signer);
  if (!ok) return ERR_INVALID;
  TRY(buf_add_char(b, '.'));
  return base64url_encode(b, signature, n);
}

static enum err add_assertion(const struct speech_engine *e, int64_t now_ms, struct buf *b) {
  struct buf claims CLEANUP(buf_done) = BUF_INIT(4 * MEMBER_MAX);
  long long now = now_ms / 1000;
  TRY(buf_addf(&claims, "{\"iss\":\"%s\",\"scope\":\"" SCOPE "\",\"aud\":\"%s\",\"iat\":%lld,\"exp\":%lld}", e->email,
               e->token_url, now, now + LIFE_S));
  TRY(add_part(b, STR("{\"alg\":\"RS256\",\"typ\":\"JWT\"}")));
  TRY(buf_add_char(b, '.'));
  TRY(add_part(b, buf_str(&claims)));
  return add_signature(e, b);
}

enum err speech_google_token_request(const struct speech_engine *e, int64_t now_ms, struct speech_request *r) {
  struct buf assertion CLEANUP(buf_done) = BUF_INIT(ASSERTION_MAX);
  TRY(add_assertion(e, now_ms, &assertion));
  TRY(buf_add(&r->url, str_from(e->token_url)));
  TRY(buf_add(&r->type, STR("Content-Type: application/x-www-form-urlencoded")));
  TRY(buf_add(&r->body, STR("grant_type=" GRANT "&assertion=")));
  enum err error = buf_add(&r->body, buf_str(&assertion));
  if (assertion.p) secret_wipe(assertion.p, assertion.n);
  return error;
}

enum err speech_google_parse_token(struct str body, char **ret_token, int64_t *ret_seconds) {
  json_t *root = NULL;
  TRY(speech_json_load(body, &root));
  const json_t *value = json_object_get(root, "access_token");
  struct str token = str_of(json_string_value(value), json_string_length(value));
  double seconds = speech_json_number(root, "expires_in", LIFE_S);
  enum err error = is_plain(token, TOKEN_MAX) && seconds > 0 ? OK : ERR_INVALID;
  char *copy = error == OK ? str_dup(token) : NULL;
  json_decref(root);
  if (error != OK) return error;
  if (!copy) return ERR_NOMEM;
  *ret_token = copy;
  *ret_seconds = seconds < LIFE_S ? (int64_t)seconds : LIFE_S;
  return OK;
}
