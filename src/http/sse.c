/* sse.c - formats server-sent events as text. */
#include "http/sse.h"

static enum err add_id(struct buf *b, int64_t id) {
  return id ? buf_addf(b, "id: %lld\n", (long long)id) : OK;
}

enum err sse_add(struct buf *b, struct str event, int64_t id, struct str data) {
  struct str line;
  TRY(buf_addf(b, "event: %.*s\n", STR_ARG(event)));
  TRY(add_id(b, id));
  for (bool more = true; more;) {
    more = str_cut(data, '\n', &line, &data);
    TRY(buf_add(b, STR("data: ")));
    TRY(buf_add(b, line));
    TRY(buf_add_char(b, '\n'));
  }
  return buf_add_char(b, '\n');
}

enum err sse_add_opening(struct buf *b, int64_t retry_ms, int64_t id) {
  TRY(buf_addf(b, "retry: %lld\n", (long long)retry_ms));
  TRY(add_id(b, id));
  return buf_add_char(b, '\n');
}
