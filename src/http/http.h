/* http.h - a strict HTTP/1.1 server (RFC 9110, 9112) on epoll and sendfile that has never heard of a call.
 *
 *   http_server_new(&config, &app, &server);  http_server_start(server);  … http_server_drain(server, 8000);
 *   http_server_free(server);
 *
 * One loop thread a core owns its connections for their life. The app is called on the loop and must not block; it answers
 * at once or later. Only functions marked (any thread) may be called from elsewhere. */
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

enum { HTTP_HEADERS_MAX = 100 };

/* Views into the exchange's memory: valid until it ends. */
struct http_request {
  enum http_method method;
  struct str method_text;
  struct str target; /* raw, as received (origin-form; of an absolute-form the whole) */
  struct str path;   /* raw, without the query; of an absolute-form too */
  struct str query;  /* raw, after '?'; empty when there is none */
  bool has_query;    /* a '?' was there */
  int minor;         /* 0 or 1: HTTP/1.minor */
  struct str host;   /* Host's value, or the absolute-form's authority */
  const struct http_header *headers;
  size_t header_count;
  uint64_t names;  /* http_name_bit of each header's name; 0: not known, so look */
  struct str body; /* complete when app->request is called */
};

/* A bit of 64 for a name, whatever its case: most names that are looked for are not there, and it says so at once. */
static inline uint64_t http_name_bit(struct str name) {
  return UINT64_C(1) << ((name.n * 5 + (unsigned char)(name.p[0] | 0x20)) % 64);
}
/* The first header of that name, or STR_NONE (p NULL) when there is none. */
struct str http_header_get(const struct http_request *r, struct str name);
size_t http_header_count(const struct http_request *r, struct str name);

struct http_fields;
struct http_app {
  void *arg;
  /* The head is here, the body is not. Answer at once with http_respond, or leave it and set *body_max, the most bytes of
   * body that will be taken (0 at the call: a body is then refused with 413). May be NULL: 64 KiB. */
  void (*head)(void *arg, struct http_exchange *x, size_t *body_max);
  /* The whole request is here and head did not answer it. Answer now, or http_ref and later. */
  void (*request)(void *arg, struct http_exchange *x);
  /* The engine refuses by itself (malformed 400, 408, 413, 431, 501, 503 too many …): add the header lines and write the
   * body. request is NULL where no head was understood. May be NULL: an empty body. */
  void (*refuse)(void *arg, const struct http_request *request, int status, const char *reason,
                 struct http_fields *fields, char *ret_body, size_t body_size, size_t *ret_body_n);
};

struct http_config {
  const char **ret_problem; /* NULL, or gets a static sentence when http_server_new fails */
  const char *listen;       /* "127.0.0.1:8080", "[::1]:0", "0.0.0.0:8080" */
  unsigned loops;           /* 0: one a core */
  unsigned connections;     /* at once; then somebody who waits gives way to a new one, or it is an extra one */
  int64_t head_ms;          /* from a head's first byte to its end; 0: 10,000 */
  int64_t body_ms;          /* 0: 30,000 */
  int64_t idle_ms;          /* kept alive without a request; 0: 75,000 */
  int64_t pace_ms;          /* how long a peer may take less than least_pace of an answer that is there; 0: 60,000 */
  int64_t least_pace;       /* bytes a second; 0: 500 */
  size_t held_max;          /* bytes of requests that are not complete, beside 4 KiB each, over all loops; 0: 128 MiB */
  size_t head_max;          /* request line and headers, bytes; 0: 32 KiB */
};

/* Binds and listens. */
CHECKED enum err http_server_new(const struct http_config *config, const struct http_app *app,
                                 struct http_server **ret_server);
CHECKED enum err http_server_start(struct http_server *s);
int http_server_port(const struct http_server *s);
unsigned http_server_loops(const struct http_server *s);
size_t http_server_connections(const struct http_server *s);       /* (any thread) open now */
unsigned http_server_connections_max(const struct http_server *s); /* as configured, or less where the file limit is */
/* (any thread) true: what files are in memory is found out before each send, and not taken from what was seen seconds ago: of
 * use while their volume does not answer. */
void http_server_distrust_files(struct http_server *s, bool distrusts);
/* Takes no new connections; open ones end after the answer in hand ("Connection: close"), idle ones at once. Returns when
 * all ended or after timeout_ms, when the rest is cut. */
void http_server_drain(struct http_server *s, int64_t timeout_ms);
/* Stops the loops, runs what was posted and frees all; whoever may still post must have ended before. NULL is fine.
 * Always returns NULL. */
struct http_server *http_server_free(struct http_server *s);
/* Runs fn(arg) on loop number i. (any thread) ERR_CLOSED when stopping: fn will not run. */
CHECKED enum err http_loop_post(struct http_server *s, unsigned i, void (*fn)(void *arg), void *arg);

/* ---- the exchange; loop thread only unless marked ---- */

const struct http_request *http_request(const struct http_exchange *x);
unsigned http_loop_index(const struct http_exchange *x);
/* clock_mono_ms, as it was when this turn of the loop began: it costs nothing. */
int64_t http_now_ms(const struct http_exchange *x);
/* The arg of the server's http_app. */
void *http_app_arg(const struct http_exchange *x);
/* The peer's socket address. */
const struct sockaddr_storage *http_peer(const struct http_exchange *x);
/* True while open connections are past nine tenths of the limit: only what has a reserve is to be served. */
bool http_crowded(const struct http_exchange *x);
/* True if x came by one of the few extra connections that are taken beyond the limit, which close after one answer and
 * give way to newer ones: serve only what must always be answered. */
bool http_over_limit(const struct http_exchange *x);
/* For the app's head: nobody wants the body. Up to *body_max of it is read and dropped; request.body stays empty. */
void http_drop_body(struct http_exchange *x);
/* The bytes of body that the head announced; -1: chunked. */
int64_t http_body_length(const struct http_exchange *x);
/* The app's own pointer on an exchange, NULL at first: free it in the end function. */
void http_set_data(struct http_exchange *x, void *data);
void *http_data(const struct http_exchange *x);

/* Keeps x's memory valid beyond the callback; each ref needs its unref, on the loop thread. */
struct http_exchange *http_ref(struct http_exchange *x);
void http_unref(struct http_exchange *x);
/* True once the peer is gone: an answer will reach nobody. */
bool http_gone(const struct http_exchange *x);
/* The same for any thread that holds a ref. SHUT: the peer has closed its side, as one does who leaves, but also one that has
 * sent all and still waits for the answer. */
enum http_presence { HTTP_PEER_THERE, HTTP_PEER_SHUT, HTTP_PEER_GONE };
enum http_presence http_presence(const struct http_exchange *x);
/* Called once, when the exchange ends: answered whole (complete), or cut. sent: body bytes given to the kernel. */
void http_on_end(struct http_exchange *x, void (*fn)(struct http_exchange *x, void *arg, bool complete, int64_t sent),
                 void *arg);
/* Runs fn(x, arg) on x's loop, in the order of the posts; the caller holds a ref meanwhile. It runs also when the peer is
 * gone. (any thread) */
void http_post(struct http_exchange *x, void (*fn)(struct http_exchange *x, void *arg), void *arg);
/* One timer an exchange: fn after delay_ms; setting again replaces, a negative delay takes it away. Ends with x. */
void http_timer(struct http_exchange *x, int64_t delay_ms, void (*fn)(struct http_exchange *x, void *arg), void *arg);

/* ---- answers ---- */

/* Header lines ready to send, built without allocation. A name or value with CR, LF or NUL, or past the ceiling, makes the
 * answer a 500. */
struct http_fields {
  char bytes[4096];
  size_t n;
  bool bad;
};
void http_fields_init(struct http_fields *f);
void http_field(struct http_fields *f, struct str name, struct str value);
void http_fieldf(struct http_fields *f, struct str name, const char *format, ...) PRINTF(3, 4);

/* A file that several exchanges of one loop send from: closed when the last lets go. Loop thread only. */
struct http_file;
CHECKED enum err http_file_new(int fd /* taken on success */, struct http_file **ret_file);
struct http_file *http_file_ref(struct http_file *f);
void http_file_unref(struct http_file *f);
int http_file_fd(const struct http_file *f);

/* What a growing body gives next. */
struct http_piece {
  enum {
    HTTP_PIECE_WAIT,   /* nothing yet: http_wake says when */
    HTTP_PIECE_BYTES,  /* `bytes`: valid until the next call of next or close */
    HTTP_PIECE_FILE,   /* length bytes of fd from offset, all of which are there */
    HTTP_PIECE_END,    /* the body is whole */
    HTTP_PIECE_BROKEN, /* can't go on: the connection is cut so that no client takes it for whole */
  } kind;
  struct str bytes;
  int fd; /* stays the source's */
  int64_t offset;
  int64_t length;
};
struct http_source {
  void (*next)(void *arg, struct http_exchange *x, struct http_piece *ret_piece);
  void (*close)(void *arg); /* called once, when the body ended or was cut; may be NULL */
};

struct http_body {
  enum { HTTP_BODY_NONE, HTTP_BODY_BYTES, HTTP_BODY_FILE, HTTP_BODY_SOURCE } kind;
  struct str bytes;       /* BYTES: copied by http_respond */
  struct http_file *file; /* FILE: http_respond takes a ref of its own */
  int64_t offset;         /* FILE: from here */
  int64_t length;         /* FILE, SOURCE: bytes; SOURCE: -1 unknown, sent chunked (HTTP/1.0: until close).
                                 * NONE: what GET would have, for the answer to a HEAD */
  const struct http_source *source;
  void *source_arg;
};

/* Answers x: once; what comes after the first, or after a refusal by the engine, only closes its source. fields may be
 * NULL. Date, Content-Length or Transfer-Encoding and Connection are added; no body goes out for HEAD, 1xx, 204, 304, but
 * for HEAD the length does. On a peer that is gone it only closes the source. */
void http_respond(struct http_exchange *x, int status, const struct http_fields *fields, const struct http_body *body);
/* More is there for a source that said WAIT. */
void http_wake(struct http_exchange *x);
/* (any thread, with a ref held) the same. */
void http_wake_from_elsewhere(struct http_exchange *x);
/* Ends the connection now, with a reset, whatever was sent. */
void http_abort(struct http_exchange *x);
bool http_answered(const struct http_exchange *x);
int http_status(const struct http_exchange *x); /* of the app's answer; 0: there was none */
/* After the answer in hand the connection closes. */
void http_close_after(struct http_exchange *x);
/* The exchange ends as soon as the peer shuts its side: for an answer that has no end of its own. */
void http_end_with_peer(struct http_exchange *x);
