/* http.h - a strict HTTP/1.1 server (RFC 9110, 9112) on epoll and sendfile.
 *
 *   http_server_new(&config, &app, &server);  http_server_start(server);  … http_server_drain(server, 8000);
 *   http_server_free(server);
 *
 * Thread rule: there is one loop thread per core, and a connection stays on its loop for its life. The server calls the app
 * on the loop; the app must not block, and answers at once or later. Only functions marked (any thread) may be called from
 * other threads. */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include "base/str.h"

struct http_server;
struct http_exchange; /* one request and its answer */

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS, HTTP_OTHER };

struct http_header {
  struct str name;  /* as received; compare without case */
  struct str value; /* trimmed; may hold bytes >= 0x80, never control characters but tab */
};

enum { HTTP_HEADERS_MAX = 100, HTTP_LINES_MAX = 512 };

/* Views into the exchange's memory: valid until it ends. */
struct http_request {
  enum http_method method;
  struct str method_text;
  struct str target; /* raw, as received: origin-form, or the whole absolute-form */
  struct str path;   /* raw, without scheme, authority and query */
  struct str query;  /* raw, after '?'; empty if there is none */
  bool has_query;    /* the target has a '?' */
  int minor;         /* 0 or 1: HTTP/1.minor */
  struct str host;   /* Host's value, or the absolute-form's authority */
  const struct http_header *headers;
  size_t header_count;
  uint64_t names;  /* the http_name_bit of every header's name, combined; 0: not computed, search the headers */
  struct str body; /* complete when http_app.request is called */
};

/* One bit of 64 for a header name, the same for any case: a bit that is not set in `names` means the header is absent. */
static inline uint64_t http_name_bit(struct str name) {
  return UINT64_C(1) << ((name.n * 5 + (unsigned char)(name.p[0] | 0x20)) % 64);
}
/* The value of the first header with that name, or STR_NONE (p NULL) if there is none. */
struct str http_header_get(const struct http_request *r, struct str name);
size_t http_header_count(const struct http_request *r, struct str name);

struct http_fields;
struct http_app {
  void *arg;
  /* Called when the head was received and the body was not. Either answer at once with http_respond, or set *body_max, the
   * most bytes of body to accept (0 at the call: a body is refused with 413). May be NULL: 64 KiB are accepted. */
  void (*head)(void *arg, struct http_exchange *x, size_t *body_max);
  /* Called when the whole request was received and head did not answer it. Answer now, or call http_ref and answer later. */
  void (*request)(void *arg, struct http_exchange *x);
  /* Called when the server itself refuses a request (400 malformed, 408, 413, 431, 501, 503 too many connections …): add
   * header lines and write a body. request is NULL if no head was parsed. May be NULL: the body is empty. */
  void (*refuse)(void *arg, const struct http_request *request, int status, const char *reason,
                 struct http_fields *fields, char *ret_body, size_t body_size, size_t *ret_body_n);
};

struct http_config {
  const char **ret_problem; /* NULL, or receives a static sentence if http_server_new fails */
  const char *listen;       /* "127.0.0.1:8080", "[::1]:0", "0.0.0.0:8080" */
  unsigned loops;           /* 0: one per core */
  unsigned connections;     /* open at once; 0: 16,384. At the limit see docs/adr/0011 */
  const char *lines;  /* header lines of every answer, each with its CRLF, HTTP_LINES_MAX bytes; static; NULL: none */
  int64_t head_ms;    /* from a head's first byte to its end; 0: 10,000 */
  int64_t body_ms;    /* from a head's end to the body's end; 0: 30,000 */
  int64_t idle_ms;    /* keep-alive without a request; 0: 75,000 */
  int64_t pace_ms;    /* a peer that takes less than least_pace for this long is cut; 0: 60,000 */
  int64_t least_pace; /* bytes a second; 0: 500 */
  size_t held_max;    /* bytes of incomplete requests beyond 4 KiB each, over all loops; 0: 128 MiB */
  size_t head_max;    /* request line and headers, bytes; 0: 32 KiB */
};

/* Binds and listens; connections are accepted after http_server_start. ERR_IO with *ret_problem, ERR_NOMEM. */
CHECKED enum err http_server_new(const struct http_config *config, const struct http_app *app,
                                 struct http_server **ret_server);
CHECKED enum err http_server_start(struct http_server *s);
int http_server_port(const struct http_server *s);
unsigned http_server_loops(const struct http_server *s);
size_t http_server_connections(const struct http_server *s); /* (any thread) open now, without extra ones */
unsigned http_server_connections_max(
    const struct http_server *s); /* as configured, or what the limit of descriptors allows */
/* (any thread) True while the volume of the files does not answer: the server then checks before each send that the pages
 * are in memory, and does not rely on what it saw there seconds ago. */
void http_server_distrust_files(struct http_server *s, bool distrusts);
/* Accepts no new connections, closes idle ones, and closes the others after their current answer ("Connection: close").
 * Returns when all are closed, or cuts the rest after timeout_ms. */
void http_server_drain(struct http_server *s, int64_t timeout_ms);
/* Stops the loops, runs pending posts and frees all. Threads that post must have ended before. NULL is allowed. Always
 * returns NULL. */
struct http_server *http_server_free(struct http_server *s);
/* (any thread) Runs fn(arg) on loop number i. ERR_CLOSED while stopping, ERR_NOMEM, ERR_INVALID: fn will not run. */
CHECKED enum err http_loop_post(struct http_server *s, unsigned i, void (*fn)(void *arg), void *arg);

/* ---- the exchange; loop thread only unless marked ---- */

const struct http_request *http_request(const struct http_exchange *x);
unsigned http_loop_index(const struct http_exchange *x);
/* clock_mono_ms as read when this turn of the loop began. */
int64_t http_now_ms(const struct http_exchange *x);
/* The arg of the server's http_app. */
void *http_app_arg(const struct http_exchange *x);
/* The peer's socket address. */
const struct sockaddr_storage *http_peer(const struct http_exchange *x);
/* True while more than 90 % of the connections are open: the app serves only requests that have a reserve. */
bool http_crowded(const struct http_exchange *x);
/* True if x came by an extra connection, one beyond the limit, which closes after one answer: the app serves only requests
 * that must always be answered, and refuses the rest. */
bool http_over_limit(const struct http_exchange *x);
/* To be called from http_app.head: the body is not needed. Up to *body_max bytes are read and dropped; request.body stays
 * empty. */
void http_drop_body(struct http_exchange *x);
/* The body's length as announced by the head, in bytes; -1: chunked. */
int64_t http_body_length(const struct http_exchange *x);
/* The app's own pointer, NULL at first. The app frees it in the function given to http_on_end. */
void http_set_data(struct http_exchange *x, void *data);
void *http_data(const struct http_exchange *x);

/* Keeps x's memory valid after the callback returns. Each http_ref needs one http_unref, on the loop thread. */
struct http_exchange *http_ref(struct http_exchange *x);
void http_unref(struct http_exchange *x);
/* True if the connection is closed: an answer can't be delivered. */
bool http_gone(const struct http_exchange *x);
/* (any thread, with a ref held) HTTP_PEER_SHUT: the peer has closed its sending side. It may have left, or it may still wait
 * for the answer. */
enum http_presence { HTTP_PEER_THERE, HTTP_PEER_SHUT, HTTP_PEER_GONE };
enum http_presence http_presence(const struct http_exchange *x);
/* Calls fn once, when the exchange ends. complete: the answer was sent whole; sent: body bytes given to the kernel. */
void http_on_end(struct http_exchange *x, void (*fn)(struct http_exchange *x, void *arg, bool complete, int64_t sent),
                 void *arg);
/* (any thread) Runs fn(x, arg) on x's loop, in the order of the posts, even if the peer is gone. The caller holds a ref until
 * fn runs. */
void http_post(struct http_exchange *x, void (*fn)(struct http_exchange *x, void *arg), void *arg);
/* Calls fn after delay_ms. There is one timer per exchange: another call replaces it, a negative delay removes it, and it ends
 * with x. */
void http_timer(struct http_exchange *x, int64_t delay_ms, void (*fn)(struct http_exchange *x, void *arg), void *arg);

/* ---- answers ---- */

/* Header lines ready to send, built without allocation. If a name or value is malformed (RFC 9110 5.1, 5.5) or all do not fit
 * into bytes, `bad` is set and the answer becomes a 500. */
struct http_fields {
  char bytes[4096];
  size_t n;
  bool bad;
};
void http_fields_init(struct http_fields *f);
void http_field(struct http_fields *f, struct str name, struct str value);
void http_fieldf(struct http_fields *f, struct str name, const char *format, ...) PRINTF(3, 4);

/* A file that several exchanges of one loop send from. It is closed with the last ref. Loop thread only. */
struct http_file;
CHECKED enum err http_file_new(int fd /* taken on success */, struct http_file **ret_file);
struct http_file *http_file_ref(struct http_file *f);
void http_file_unref(struct http_file *f);
int http_file_fd(const struct http_file *f);

/* The next piece of a body that is produced while it is sent. */
struct http_piece {
  enum {
    HTTP_PIECE_WAIT,   /* nothing yet: call http_wake when there is more */
    HTTP_PIECE_BYTES,  /* `bytes`, valid until the next call of next or close */
    HTTP_PIECE_FILE,   /* length bytes of fd from offset, all of which exist */
    HTTP_PIECE_END,    /* the body is complete */
    HTTP_PIECE_BROKEN, /* the body can't be completed: the connection is cut, so that no client takes it for complete */
  } kind;
  struct str bytes;
  int fd; /* owned by the source */
  int64_t offset;
  int64_t length;
};
struct http_source {
  void (*next)(void *arg, struct http_exchange *x, struct http_piece *ret_piece);
  void (*close)(void *arg); /* called once, when the body has ended or was cut; may be NULL */
};

struct http_body {
  enum { HTTP_BODY_NONE, HTTP_BODY_BYTES, HTTP_BODY_FILE, HTTP_BODY_SOURCE } kind;
  struct str bytes;       /* BYTES: copied by http_respond */
  struct http_file *file; /* FILE: http_respond takes its own ref */
  int64_t offset;         /* FILE: the first byte */
  int64_t length;         /* FILE, SOURCE: bytes; SOURCE: -1 if unknown, then sent chunked (HTTP/1.0: until close).
                                 * NONE: the length that GET would have, for the answer to a HEAD */
  const struct http_source *source;
  void *source_arg;
};

/* Answers x. Adds Date, Connection, and Content-Length or Transfer-Encoding; fields may be NULL. No body is sent for HEAD,
 * 1xx, 204 and 304; for HEAD the length is. If x is answered already, was refused by the server, or its peer is gone, the
 * call only closes the body's source. */
void http_respond(struct http_exchange *x, int status, const struct http_fields *fields, const struct http_body *body);
/* Tells the server that a source which gave HTTP_PIECE_WAIT has more. */
void http_wake(struct http_exchange *x);
/* (any thread, with a ref held) The same. */
void http_wake_from_elsewhere(struct http_exchange *x);
/* Resets the connection now, also in the middle of an answer. */
void http_abort(struct http_exchange *x);
bool http_answered(const struct http_exchange *x);
/* "Not Found" of 404 (RFC 9110, section 15); empty for a status that this server never sends. */
struct str http_status_phrase(int status);
int http_status(const struct http_exchange *x); /* of the app's answer; 0 if there was none */
/* Closes the connection after the current answer. */
void http_close_after(struct http_exchange *x);
/* Numbers of the app's own for what is answered and by what right; 0: none. http_cut_tagged finds the exchange by each. */
enum { HTTP_TAGS = 5 };
void http_set_tags(struct http_exchange *x, const uint64_t tags[HTTP_TAGS]);
/* On loop number i: cuts all answers under way that have one of count tags, sorted in ascending order. */
void http_cut_tagged(struct http_server *s, unsigned i, const uint64_t *tags, size_t count);
/* Ends the exchange when the peer shuts its sending side: for an answer without an end, like an event stream. */
void http_end_with_peer(struct http_exchange *x);
