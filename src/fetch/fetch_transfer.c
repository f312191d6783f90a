/* fetch_transfer.c - one request with all its hops.
 *
 *   WAITING --transfer_begin--> ACTIVE --redirect, transfer_hop_over--> WAITING
 *   ACTIVE ----- answer, failure, limit: transfer_hop_over, transfer_expire ----> ENDED
 *   any -------- cancel, shutdown, an error of a callback: transfer_end --------> ENDED --transfer_free-->
 *
 * Invariants
 *  (1) transfer_end calls on_end exactly once, and no callback of the caller's is called after it.
 *  (2) An address is checked twice: before a socket to it is opened, and, as the connection's peer, before the request is
 *      sent, because a reused connection was opened under another transfer's rules. A trusted origin may have any address;
 *      other origins may have a special one only after a connection to the trusted origin used a special one.
 *  (3) No byte of a redirect that is followed reaches the caller; its body is dropped, within limits of size and time.
 *  (4) Time limits use the time read before curl_multi_perform: after the process was stopped for a while, a transfer whose
 *      bytes are already in the kernel does not time out.
 *  (5) `detail` contains a host and a reason, never a path, a query or a user.
 *  (6) A reply with another transfer coding than "chunked" is refused, because curl would decode some of them. */
#include "fetch/fetch_transfer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "fetch/fetch_request.h"

enum {
  HEAD_MAX_BYTES = 256 * 1024,
  REDIRECT_BODY_MAX_BYTES = 64 * 1024,
  REDIRECT_BODY_MS = 2000,
};

/* True if a connection of this hop may use a special, or else a public, address. */
static bool address_is_allowed(const struct fetch_transfer *t, bool special) {
  if (!special || t->request.allow_special_addresses || t->origin_is_special) return true;
  return t->request.trust_origin && t->hop.own_origin;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address) {
  struct fetch_transfer *t = arg;
  if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
  if (!address_is_allowed(t, fetch_address_is_special(&address->addr))) { /* (2) */
    t->address_refused = true;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool text_is_special(const char *text) {
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  } address = {0};
  if (inet_pton(AF_INET, text, &address.in.sin_addr) == 1) {
    address.in.sin_family = AF_INET;
  } else if (inet_pton(AF_INET6, text, &address.in6.sin6_addr) == 1) {
    address.in6.sin6_family = AF_INET6;
  } else {
    return true;
  }
  return fetch_address_is_special(&address.any);
}

static int on_connected(void *arg, char *peer, char *local, int peer_port, int local_port) {
  struct fetch_transfer *t = arg;
  (void)local, (void)peer_port, (void)local_port;
  if (t->state == TRANSFER_ENDED) return CURL_PREREQFUNC_ABORT;
  bool special = text_is_special(peer);
  if (!address_is_allowed(t, special)) { /* (2) */
    t->address_refused = true;
    return CURL_PREREQFUNC_ABORT;
  }
  /* Only the address in use counts: the name may have others. */
  if (special && t->request.trust_origin && t->hop.own_origin) t->origin_is_special = true;
  if (t->connected_ms < 0) t->connected_ms = clock_mono_ms();
  return CURL_PREREQFUNC_OK;
}

static struct str reply_header(struct fetch_transfer *t, const char *name) {
  struct curl_header *h = NULL;
  if (curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK) return STR_NONE;
  struct str value = str_from(h->value);
  while (value.n > 0 && (unsigned char)value.p[value.n - 1] <= ' ')
    value.n--; /* curl leaves the line's end in an empty value */
  return str_trim(value);
}

/* The only transfer coding of the reply is "chunked", or there is none. */
static bool has_known_transfer_coding(struct fetch_transfer *t) {
  struct curl_header *h = NULL;
  if (curl_easy_header(t->easy, "Transfer-Encoding", 0, CURLH_HEADER, -1, &h) != CURLHE_OK) return true;
  bool is_one = h->amount == 1; /* h is curl's, until the next call */
  struct str coding = reply_header(t, "Transfer-Encoding");
  return is_one && (coding.n == 0 || str_eq_nocase(coding, STR("chunked")));
}

static int64_t reply_length(struct fetch_transfer *t) {
  uint64_t length;
  if (reply_header(t, "Transfer-Encoding").n > 0) return -1;
  if (str_to_u64(reply_header(t, "Content-Length"), INT64_MAX, &length) != OK) return -1;
  return (int64_t)length;
}

static size_t transfer_stop(struct fetch_transfer *t, enum fetch_end end, const char *why) {
  t->stop = end;
  t->stop_why = why;
  return 0; /* not the number of bytes passed: curl ends the transfer */
}

static bool is_followed_redirect(struct fetch_transfer *t) {
  if (t->request.max_hops == 0 || !reply_header(t, "Location").p) return false;
  int s = t->result.status;
  return s == 301 || s == 302 || s == 303 || s == 307 || s == 308;
}

/* The hop's final head was received. */
static size_t head_arrived(struct fetch_transfer *t, int status, size_t taken) {
  int64_t now = clock_mono_ms();
  t->head_ms = t->last_byte_ms = now;
  t->result.status = status;
  if (!has_known_transfer_coding(t))
    return transfer_stop(t, FETCH_REFUSED, "the reply has an unknown transfer coding"); /* (6) */
  t->redirecting = is_followed_redirect(t);
  if (t->redirecting) return taken; /* (3) */
  t->result.first_byte_ms = now - t->start_ms;
  fetch_pace_init(&t->pace, t->request.slow_bytes, t->request.slow_ms, now);
  struct fetch_reply reply = {
      .status = status,
      .own_origin = t->hop.own_origin,
      .length = reply_length(t),
      .content_type = reply_header(t, "Content-Type"),
      .content_encoding = reply_header(t, "Content-Encoding"),
      .content_range = reply_header(t, "Content-Range"),
      .etag = reply_header(t, "ETag"),
      .last_modified = reply_header(t, "Last-Modified"),
      .retry_after = reply_header(t, "Retry-After"),
  };
  if (t->request.on_reply && t->request.on_reply(t->request.arg, &reply) != OK) {
    return transfer_stop(t, FETCH_STOPPED, "the reply was not wanted");
  }
  if (t->state == TRANSFER_ENDED) return 0;
  bool has_body = status != 204 && status != 304;
  if (has_body && reply.length > t->request.max_bytes)
    return transfer_stop(t, FETCH_TOO_BIG, "the announced body is too big");
  return taken;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg) {
  struct fetch_transfer *t = arg;
  size_t taken = size * n;
  if (t->state == TRANSFER_ENDED) return 0;
  t->head_bytes += taken;
  if (t->head_bytes > HEAD_MAX_BYTES) return transfer_stop(t, FETCH_REFUSED, "the reply's head is too big");
  bool is_last = taken > 0 && (p[0] == '\r' || p[0] == '\n');
  if (!is_last || t->head_ms >= 0) return taken; /* trailers come here too */
  long status = 0;
  if (curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK) return 0;
  if (status < 200) return taken; /* interim */
  if (status > 999) return transfer_stop(t, FETCH_REFUSED, "the reply has no valid status");
  return head_arrived(t, (int)status, taken);
}

static size_t on_body(char *p, size_t size, size_t n, void *arg) {
  struct fetch_transfer *t = arg;
  size_t bytes = size * n;
  if (t->state == TRANSFER_ENDED || t->head_ms < 0) return 0;
  if (t->paused) return CURL_WRITEFUNC_PAUSE; /* curl keeps these bytes and stops reading */
  if (t->redirecting) {
    t->dropped_bytes += bytes;
    return t->dropped_bytes > REDIRECT_BODY_MAX_BYTES ? 0 : bytes;
  }
  if ((int64_t)bytes > t->request.max_bytes - t->result.bytes)
    return transfer_stop(t, FETCH_TOO_BIG, "the body is too big");
  t->last_byte_ms = clock_mono_ms();
  t->result.bytes += (int64_t)bytes;
  fetch_pace_add(&t->pace, (int64_t)bytes, t->last_byte_ms);
  if (t->request.on_data && t->request.on_data(t->request.arg, str_of(p, bytes)) != OK) {
    return transfer_stop(t, FETCH_STOPPED, "the receiver stopped the transfer");
  }
  return t->state == TRANSFER_ENDED ? 0 : bytes;
}

enum err transfer_new(const struct fetch_request *request, int64_t now_ms, struct fetch_transfer **ret_transfer) {
  struct fetch_transfer *t = calloc(1, sizeof(*t));
  if (!t) return ERR_NOMEM;
  enum err e = request_copy(t, request);
  if (e != OK) {
    transfer_free(t, NULL);
    return e;
  }
  t->start_ms = now_ms;
  t->result.first_byte_ms = -1;
  *ret_transfer = t;
  return OK;
}

static void drop_hop(struct fetch_transfer *t, CURLM *multi) {
  if (t->in_multi) (void)curl_multi_remove_handle(multi, t->easy); /* fails only for handles of another multi */
  t->in_multi = false;
  curl_easy_cleanup(t->easy);
  curl_slist_free_all(t->lines);
  t->easy = NULL;
  t->lines = NULL;
}

void transfer_free(struct fetch_transfer *t, CURLM *multi) {
  if (!t) return;
  drop_hop(t, multi);
  request_done(t);
  free(t);
}

static enum err set_callbacks(struct fetch_transfer *t) {
  bool set = curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t) == CURLE_OK &&
             curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
             curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t) == CURLE_OK &&
             curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_connected) == CURLE_OK &&
             curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t) == CURLE_OK &&
             curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
             curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t) == CURLE_OK &&
             curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
             curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t) == CURLE_OK;
  return set ? OK : ERR_UNSUPPORTED;
}

void transfer_begin(struct fetch_transfer *t, CURLM *multi, const char *user_agent, int64_t now_ms) {
  assert(t->state == TRANSFER_WAITING && !t->in_multi);
  t->begin_ms = now_ms;
  t->connected_ms = t->head_ms = -1;
  t->head_bytes = t->dropped_bytes = 0;
  t->redirecting = t->address_refused = false;
  t->stop = FETCH_DONE;
  t->result.status = 0;
  t->error[0] = '\0';
  t->easy = curl_easy_init();
  enum err e = t->easy ? OK : ERR_NOMEM;
  if (e == OK) e = set_callbacks(t);
  if (e == OK) e = request_apply(t, user_agent);
  if (e == OK && curl_multi_add_handle(multi, t->easy) != CURLM_OK) e = ERR_NOMEM;
  if (e != OK) {
    transfer_end(t, FETCH_REFUSED, err_text(e));
    return;
  }
  t->in_multi = true;
  t->state = TRANSFER_ACTIVE;
}

static const char *direction_text(enum fetch_direction direction) {
  if (direction == FETCH_TOO_FAR) return "too many redirects";
  if (direction == FETCH_NO_MEMORY) return err_text(ERR_NOMEM);
  return "the redirect's target is not allowed";
}

static void transfer_follow_redirect(struct fetch_transfer *t, CURLM *multi) {
  struct fetch_hop next;
  enum fetch_direction direction = fetch_redirect(&t->hop, t->result.status, reply_header(t, "Location").p, &next);
  if (direction != FETCH_GO) {
    transfer_end(t, direction == FETCH_BAD_PLACE ? FETCH_FORBIDDEN : FETCH_REFUSED, direction_text(direction));
    return;
  }
  drop_hop(t, multi);
  fetch_hop_done(&t->hop);
  t->hop = next;
  t->state = TRANSFER_WAITING;
}

/* In curl, a peer that closes the connection without an answer is GOT_NOTHING; a reset during the TLS handshake is
 * SSL_CONNECT_ERROR, while a certificate that is not trusted has a code of its own. */
static bool is_connection_failure(CURLcode code) {
  return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT || code == CURLE_GOT_NOTHING ||
         code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_SSL_CONNECT_ERROR;
}

void transfer_hop_over(struct fetch_transfer *t, CURLM *multi, CURLcode code) {
  if (t->state != TRANSFER_ACTIVE) return;
  const char *why = t->error[0] ? t->error : curl_easy_strerror(code);
  if (t->stop != FETCH_DONE) {
    transfer_end(t, t->stop, t->stop_why);
  } else if (t->redirecting) {
    transfer_follow_redirect(t, multi);
  } else if (code == CURLE_OK && t->head_ms >= 0) {
    transfer_end(t, FETCH_DONE, NULL);
  } else if (t->head_ms >= 0) {
    transfer_end(t, FETCH_CUT, why);
  } else if (t->address_refused) {
    transfer_end(t, FETCH_FORBIDDEN, "the address is not public");
  } else if (code == CURLE_OPERATION_TIMEDOUT) {
    transfer_end(t, FETCH_TIMEOUT, "no connection in time");
  } else {
    t->result.no_connection = is_connection_failure(code);
    transfer_end(t, FETCH_REFUSED, why);
  }
}

void transfer_expire(struct fetch_transfer *t, CURLM *multi, int64_t now_ms) {
  if (t->state != TRANSFER_ACTIVE) return;
  if (t->connected_ms < 0) {
    if (now_ms - t->begin_ms >= t->request.connect_ms) transfer_end(t, FETCH_TIMEOUT, "no connection in time");
  } else if (t->head_ms < 0) {
    if (now_ms - t->connected_ms >= t->request.first_byte_ms) transfer_end(t, FETCH_TIMEOUT, "no reply in time");
  } else if (t->redirecting) {
    if (now_ms - t->head_ms >= REDIRECT_BODY_MS) transfer_follow_redirect(t, multi); /* (3) */
  } else if (t->paused) {
    return; /* the caller is waited for, not the peer */
  } else if (now_ms - t->last_byte_ms >= t->request.idle_ms) {
    transfer_end(t, FETCH_TIMEOUT, "the body stopped coming");
  } else if (fetch_pace_is_slow(&t->pace, now_ms)) {
    transfer_end(t, FETCH_TIMEOUT, "the body came too slowly");
  }
}

static int64_t ms_later(int64_t from_ms, int64_t by_ms) {
  return by_ms > INT64_MAX - from_ms ? INT64_MAX : from_ms + by_ms;
}

int64_t transfer_deadline_ms(const struct fetch_transfer *t) {
  if (t->state != TRANSFER_ACTIVE) return INT64_MAX;
  if (t->connected_ms < 0) return ms_later(t->begin_ms, t->request.connect_ms);
  if (t->head_ms < 0) return ms_later(t->connected_ms, t->request.first_byte_ms);
  if (t->redirecting) return ms_later(t->head_ms, REDIRECT_BODY_MS);
  if (t->paused) return INT64_MAX;
  int64_t idle = ms_later(t->last_byte_ms, t->request.idle_ms);
  int64_t slow = fetch_pace_next_ms(&t->pace);
  return idle < slow ? idle : slow;
}

void fetch_pause(struct fetch_transfer *t) {
  if (t) t->paused = true; /* takes effect when on_body is called next */
}

void fetch_resume(struct fetch_transfer *t) {
  if (!t || !t->paused || t->state != TRANSFER_ACTIVE) return;
  t->paused = false;
  t->last_byte_ms = clock_mono_ms();
  fetch_pace_init(&t->pace, t->request.slow_bytes, t->request.slow_ms, t->last_byte_ms);
  if (t->easy) (void)curl_easy_pause(t->easy, CURLPAUSE_CONT); /* an error ends the transfer */
}

static void describe(struct fetch_transfer *t, const char *why) {
  struct fetch_url url;
  struct str host = fetch_url_parse(str_from(t->hop.url), &url) == OK ? url.host : STR("no host");
  char *text = t->result.detail;
  (void)snprintf(text, sizeof(t->result.detail), "%.*s: %s", STR_ARG(str_head(host, 80)),
                 why); /* truncated if it does not fit */
  for (char *p = text; *p; p++) {
    if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f) *p = '?';
  }
}

void transfer_end(struct fetch_transfer *t, enum fetch_end end, const char *why) {
  if (t->state == TRANSFER_ENDED) return; /* (1) */
  t->state = TRANSFER_ENDED;
  t->result.end = end;
  if (why) describe(t, why); /* (5) */
  if (t->request.on_end) t->request.on_end(t->request.arg, &t->result);
}
