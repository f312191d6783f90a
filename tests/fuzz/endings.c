/* Input: the first two bytes are a place in a signed URL's query and what is put there, or, if the first is 255, the rest is the
 * whole query; the rest is also a notice of what a command ended. Property: no query but the one that was signed is
 * accepted, and a notice has an event that exists. */
#include <stdlib.h>
#include <string.h>

#include "domain/signed_url.h"
#include "ledger/security_notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define SID "RE00000000000000000000000000000001"
enum { QUERY_MAX = 8192 };

static void require(bool holds) {
  if (!holds) abort();
}

/* The query may have further parameters, but these four as they were signed. */
static void feed_query(const struct hmac_key *key, struct str signed_query, struct str query) {
  struct signed_url_bearer bearer;
  struct str parameter, rest = signed_query;
  if (signed_url_verify(key, STR(SID), query, 0, &bearer) != OK) return;
  for (bool more = true; more;) {
    more = str_cut(rest, '&', &parameter, &rest);
    require(memmem(query.p, query.n, parameter.p, parameter.n));
  }
  require(bearer.business_id == 7 && bearer.expires_at_ms == 1000000 && strcmp(bearer.id, "0123456789abcdef") == 0);
  require(signed_url_verify(key, STR("RE00000000000000000000000000000002"), query, 0, &bearer) != OK);
  require(signed_url_verify(key, STR(SID), query, 1000000, &bearer) != OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  struct hmac_key key;
  struct security_notice notice;
  struct buf url CLEANUP(buf_done) = BUF_INIT(1024), altered CLEANUP(buf_done) = BUF_INIT(QUERY_MAX);
  if (n < 2 || n > 4096) return 0;
  struct str rest = str_of((const char *)bytes + 2, n - 2), path, query;
  hmac_key_set(&key, STR("a key of some length"));
  require(signed_url_write(&key, STR(""), 7, STR(SID), STR("0123456789abcdef"), 1000000, &url) == OK);
  require(str_cut(buf_str(&url), '?', &path, &query));
  size_t at = bytes[0] < query.n ? bytes[0] : query.n;
  size_t left_out = bytes[1] % 4;
  if (at + left_out > query.n) left_out = query.n - at;
  require(buf_add(&altered, str_head(query, at)) == OK && buf_add(&altered, rest) == OK &&
          buf_add(&altered, str_skip(query, at + left_out)) == OK);
  feed_query(&key, query, bytes[0] == 255 ? rest : buf_str(&altered));
  if (security_notice_parse(rest, &notice)) require((unsigned)notice.event < METRIC_SECURITY_COUNT_);
  return 0;
}
