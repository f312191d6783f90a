/* answer.c - sends the answer that response.c built.
 *
 *   out (text) -> piece (bytes or file) -> out (chunk framing) -> piece … until the source is over
 *
 * Invariants
 *  (1) `out` is sent before `piece`, and the source is called only when no piece is left: so its bytes stay valid until sent.
 *  (2) Text is sent with MSG_MORE if a file follows, and in one sendmsg with bytes that follow: no small packet alone.
 *  (3) The last chunk is written only after HTTP_PIECE_END; an announced body is sent whole or the connection is cut.
 *  (4) While the source waits, the current chunk is closed: a client that reads whole chunks has all that was given. */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "http/internal.h"

void answer_drop(struct http_exchange *x) {
  const struct http_source *source = TAKE(x->source);
  struct http_file *file = TAKE(x->file);
  if (source && source->close) source->close(x->source_arg);
  if (file) http_file_unref(file);
}

static enum answer_step open_chunk(struct http_exchange *x, int64_t length) {
  if (!x->sending_chunked) return ANSWER_DONE;
  const char *before = x->chunk_open ? "\r\n" : "";
  x->chunk_open = true;
  return buf_addf(&x->out, "%s%llx\r\n", before, (unsigned long long)length) == OK ? ANSWER_DONE : ANSWER_BROKEN;
}

/* (4) */
static enum answer_step close_chunk(struct http_exchange *x) {
  if (!x->chunk_open) return ANSWER_DONE;
  x->chunk_open = false;
  return buf_add(&x->out, STR("\r\n")) == OK ? ANSWER_DONE : ANSWER_BROKEN;
}

static enum answer_step end_source(struct http_exchange *x) {
  if (x->source_left > 0) return ANSWER_BROKEN; /* (3): the body is shorter than announced */
  x->source_over = true;
  if (!x->sending_chunked) return ANSWER_DONE;
  return buf_add(&x->out, x->chunk_open ? STR("\r\n0\r\n\r\n") : STR("0\r\n\r\n")) == OK ? ANSWER_DONE : ANSWER_BROKEN;
}

static void wait_for_source(struct http_exchange *x) {
  x->waiting = true;
  if (x->woken) loop_make_ready(x->conn); /* http_wake was called meanwhile */
}

/* Gets the source's next piece. */
static enum answer_step pull_piece(struct http_exchange *x) {
  struct http_piece p = {.kind = HTTP_PIECE_WAIT};
  x->woken = false;
  x->source->next(x->source_arg, x, &p);
  if (!x->conn || x->conn->doomed) return ANSWER_BROKEN;
  int64_t length = p.kind == HTTP_PIECE_BYTES ? (int64_t)p.bytes.n : p.length;
  switch (p.kind) {
    case HTTP_PIECE_WAIT:
      wait_for_source(x);
      return close_chunk(x);
    case HTTP_PIECE_END:
      return end_source(x);
    case HTTP_PIECE_BROKEN:
      return ANSWER_BROKEN;
    case HTTP_PIECE_BYTES:
    case HTTP_PIECE_FILE:
      break;
  }
  if (length <= 0) { /* an empty piece: call the source again in the next turn */
    x->woken = true;
    wait_for_source(x);
    return ANSWER_DONE;
  }
  if (x->source_left >= 0) {
    if (length > x->source_left) return ANSWER_BROKEN;
    x->source_left -= length;
    x->source_over = x->source_left == 0;
  }
  x->piece = p;
  x->piece_left = length;
  return open_chunk(x, length);
}

static void account_out(struct http_exchange *x, size_t n) {
  size_t body_at = x->out.n - x->out_body_n, before = x->out_sent;
  x->out_sent += n;
  if (x->out_sent > body_at) x->sent += (int64_t)(x->out_sent - (before > body_at ? before : body_at));
  if (x->out_sent < x->out.n) return;
  buf_clear(&x->out);
  x->out_sent = x->out_body_n = 0;
}

static void account_piece(struct http_exchange *x, size_t n) {
  x->sent += (int64_t)n;
  x->piece_left -= (int64_t)n;
  if (x->piece.kind == HTTP_PIECE_BYTES)
    x->piece.bytes = str_skip(x->piece.bytes, n);
  else
    x->piece.offset += (int64_t)n;
}

/* Sends once. Returns the number of bytes sent, or -1 with errno. */
static ssize_t push_text(struct http_exchange *x) {
  struct iovec parts[2];
  size_t count = 0, out_left = x->out.n - x->out_sent;
  if (out_left > 0) parts[count++] = (struct iovec){x->out.p + x->out_sent, out_left};
  if (x->piece_left > 0 && x->piece.kind == HTTP_PIECE_BYTES)
    parts[count++] = (struct iovec){(void *)(uintptr_t)x->piece.bytes.p, x->piece.bytes.n};
  int flags = MSG_NOSIGNAL | (x->piece_left > 0 && x->piece.kind == HTTP_PIECE_FILE ? MSG_MORE : 0);
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
  ssize_t n = count == 1 ? send(x->conn->fd, parts[0].iov_base, parts[0].iov_len, flags)
                         : sendmsg(x->conn->fd, &message, flags);
  if (n <= 0) return n;
  size_t of_out = (size_t)n < out_left ? (size_t)n : out_left;
  if (of_out > 0) account_out(x, of_out);
  if ((size_t)n > of_out) account_piece(x, (size_t)n - of_out);
  return n;
}

static ssize_t push_file(struct http_exchange *x, size_t most) {
  off_t offset = x->piece.offset;
  ssize_t n = sendfile(x->conn->fd, x->piece.fd, &offset, most);
  if (n == 0) errno = EPIPE; /* the file is shorter than announced: the answer can't be completed */
  if (n <= 0) return -1;
  account_piece(x, (size_t)n);
  return n;
}

static bool text_is_next(const struct http_exchange *x) {
  return x->out.n > x->out_sent || (x->piece_left > 0 && x->piece.kind == HTTP_PIECE_BYTES);
}

/* How many bytes of the file can be sent now. 0: a helper reads them, and the head waits for it too. -1: no helper is
 * available. */
static int64_t file_step(struct http_exchange *x, int64_t budget) {
  int64_t most = x->piece_left < budget ? x->piece_left : budget;
  return x->reading_in ? 0 : file_ready(x, x->piece.offset, most);
}

bool answer_is_heavy(const struct http_exchange *x) {
  return x->piece.kind == HTTP_PIECE_FILE && x->piece_left > HEAVY_MIN;
}

enum answer_step answer_send(struct http_exchange *x) {
  int64_t budget = SEND_MAX;
  if (x->woken) x->waiting = false;
  for (;;) {
    if (x->piece_left == 0 && x->source && !x->source_over && !x->waiting && pull_piece(x) == ANSWER_BROKEN)
      return ANSWER_BROKEN;
    if (!text_is_next(x) && x->piece_left == 0) {
      if (x->source && !x->source_over) return ANSWER_WAITS;
      break;
    }
    int64_t step = x->piece.kind == HTTP_PIECE_FILE && x->piece_left > 0 ? file_step(x, budget) : 1;
    if (step == 0) return ANSWER_WAITS;
    if (step < 0) return ANSWER_BROKEN;
    ssize_t n = text_is_next(x) ? push_text(x) : push_file(x, (size_t)step);
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN ? ANSWER_BLOCKED : ANSWER_BROKEN;
    }
    x->conn->pushed += n;
    x->loop->heavy_sent += n;
    budget -= n;
    if (budget <= 0 && (text_is_next(x) || x->piece_left > 0)) return ANSWER_YIELDS;
  }
  if (x->corked) {
    const int none = 0;
    (void)setsockopt(x->conn->fd, IPPROTO_TCP, TCP_CORK, &none,
                     sizeof(none)); /* sends what is corked; an error shows at the next call */
  }
  return ANSWER_DONE;
}

bool answer_withdraw(struct http_exchange *x) {
  if (x->sent > 0 || x->out_sent > 0) return false;
  answer_drop(x);
  buf_clear(&x->out);
  x->out_body_n = 0;
  x->piece_left = 0;
  x->source_over = true;
  x->reading_in = x->waiting = x->sending_chunked = false;
  return true;
}
