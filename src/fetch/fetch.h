/* fetch.h - streaming HTTP requests to other servers, with limits and deadlines, on one thread of its own (libcurl multi).
 *
 *   fetch_new(&config, &fetch);
 *   fetch_start(fetch, &request, &transfer);   on the fetch thread; then on_reply, on_data …, on_end are called there
 *   fetch_free(fetch);
 *
 * Thread rule: fetch_new, fetch_post, fetch_post_task, fetch_wake and fetch_free are for any thread; all else runs on the fetch
 * thread. Other code may use that thread: fetch_post runs a function on it, and it calls `tick` when its deadline passed or
 * after something was posted or ended. Callbacks must not block. */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct fetch;
struct fetch_transfer;

struct fetch_config {
  const char *name;         /* of the thread, at most 15 bytes; NULL: "fetch" */
  unsigned max_connections; /* active and idle ones together, at most 4,096; 0: 64 */
  const char *user_agent;
  void *arg;
  /* Called on the fetch thread. Returns the ms after which to call it again at the latest (<= 0: at once). May be NULL. */
  int64_t (*tick)(void *arg);
};

struct fetch_reply { /* of the last hop; the views are valid during the callback only */
  int status;
  bool own_origin; /* credentials were sent: no redirect led to another origin */
  int64_t length;  /* Content-Length, bytes; -1: unknown */
  struct str content_type;
  struct str content_encoding;
  struct str content_range; /* raw */
  struct str etag;
  struct str last_modified;
  struct str retry_after;
};

enum fetch_end {
  FETCH_DONE, /* the whole body was received: its announced length, its last chunk, or, without either, until the close */
  FETCH_CUT,       /* the connection ended before the body did */
  FETCH_TIMEOUT,   /* no connection, head or byte of the body in time, or the body was too slow */
  FETCH_REFUSED,   /* no connection, name not found, TLS or protocol error, too many redirects, no memory */
  FETCH_FORBIDDEN, /* a redirect's target or an address is not allowed */
  FETCH_TOO_BIG,   /* more than max_bytes */
  FETCH_STOPPED,   /* by fetch_cancel, by fetch_free, or because a callback returned an error */
};

struct fetch_result {
  enum fetch_end end;
  int status;            /* of the last hop; 0 if no head was received */
  int64_t bytes;         /* bytes of body given to on_data */
  int64_t first_byte_ms; /* from fetch_start to the last hop's head; -1 if none was received */
  bool no_connection;    /* with FETCH_REFUSED: the name was not found, or the connection was refused or reset */
  char detail[160];      /* "host: reason" for the log, without secrets, paths or queries; empty for FETCH_DONE */
};

struct fetch_request {
  const char *method; /* "GET", "POST", "PUT", "DELETE"; NULL: GET */
  const char *url;    /* http or https; copied */
  const char *user;   /* Basic credentials, sent to the url's own origin only; NULL: none */
  const char *password;
  const char *const
      *headers;          /* "Name: value" lines, NULL-terminated; copied; not sent to another origin after a redirect */
  struct str body;       /* of a POST or PUT; copied */
  int64_t connect_ms;    /* 0: 10,000 */
  int64_t first_byte_ms; /* from the connection to the end of the head; 0: 60,000 */
  int64_t idle_ms;       /* without a byte of the body; 0: 30,000 */
  int64_t slow_bytes;    /* fewer bytes a second than this over slow_ms is a timeout; 0: off */
  int64_t slow_ms;
  int64_t max_bytes; /* of the body; 0: a reply with a body ends in FETCH_TOO_BIG */
  unsigned max_hops; /* redirects to follow; 0: a redirect is a reply like others */
  /* True: addresses may be loopback, private, link-local, multicast or otherwise special. False: such an address ends the
   * transfer in FETCH_FORBIDDEN. The address that the connection uses is checked, not the result of an earlier look-up. */
  bool allow_special_addresses;
  /* True: the operator chose the url's own origin, so it may be at a special address; and if it is, redirects may lead to
   * special addresses too. */
  bool trust_origin;
  void *arg;
  /* The head of the last hop was received; redirects that are followed do not call it. Any return value but OK ends the
   * transfer in FETCH_STOPPED. May be NULL. */
  enum err (*on_reply)(void *arg, const struct fetch_reply *reply);
  enum err (*on_data)(void *arg, struct str bytes); /* the same; may be NULL */
  /* Called once, last. The transfer is freed after it. */
  void (*on_end)(void *arg, const struct fetch_result *result);
};

CHECKED enum err fetch_new(const struct fetch_config *config, struct fetch **ret_fetch);
/* (any thread but the fetch thread) Ends all transfers with FETCH_STOPPED, runs pending posts and joins the thread. NULL is
 * allowed. Always returns NULL. */
struct fetch *fetch_free(struct fetch *f);
/* (any thread) Runs fn(arg) on the fetch thread. ERR_CLOSED after fetch_free began, ERR_BUSY, ERR_NOMEM: fn will not run. */
CHECKED enum err fetch_post(struct fetch *f, void (*fn)(void *arg), void *arg);
/* (any thread) The same with the caller's memory, so that it can't fail. The fetch thread owns task until it calls its fn. Must
 * not be called after fetch_free began. */
struct fetch_task {
  void (*fn)(void *arg);
  void *arg;
  struct fetch_task *next; /* set by fetch.c */
  bool is_owned;           /* set by fetch.c: to be freed by it */
};
void fetch_post_task(struct fetch *f, struct fetch_task *task);
/* (any thread) Makes the fetch thread call `tick` soon. */
void fetch_wake(struct fetch *f);
/* Copies request and starts it. ERR_INVALID, ERR_TOO_BIG, ERR_NOMEM, ERR_BUSY (4,096 transfers), ERR_CLOSED: on_end is not
 * called. *ret_transfer is valid until on_end returns. */
CHECKED enum err fetch_start(struct fetch *f, const struct fetch_request *request,
                             struct fetch_transfer **ret_transfer);
/* Pauses the transfer: on_data is not called until fetch_resume, which may call it before it returns. A pause does not count as
 * slowness. Neither call has an effect on a transfer that has ended or is NULL. */
void fetch_pause(struct fetch_transfer *t);
void fetch_resume(struct fetch_transfer *t);
/* Ends the transfer: on_end is called with FETCH_STOPPED before this returns. */
void fetch_cancel(struct fetch_transfer *t);

/* The milliseconds from now that a Retry-After header names, as a number of seconds or a date (RFC 9110 10.2.3); 24 h if it names
 * more; 0: it names none. */
int64_t fetch_retry_after_ms(struct str header);
/* (any thread) True unless the address is a public unicast one (RFC 6890, also embedded in IPv6). Pure. */
bool fetch_address_is_special(const struct sockaddr *address);

/* The parts of an absolute http(s) URL, as views of text. ERR_INVALID: it is another kind of URL, or malformed. Pure. */
struct fetch_url {
  struct str scheme, userinfo, host, path, query,
      fragment; /* the host of an IPv6 address keeps its brackets: "[::1]" */
  int port;     /* the scheme's default if the URL has none */
  bool has_port, has_userinfo, has_query, has_fragment;
};
CHECKED enum err fetch_url_parse(struct str text, struct fetch_url *ret_url);
bool fetch_url_same_origin(const struct fetch_url *a, const struct fetch_url *b);
