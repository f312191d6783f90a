/* fetch.h - streaming HTTP requests to the outside on one thread of its own (libcurl multi): limits, deadlines, allow-list.
 *
 *   fetch_new(&config, &fetch);   fetch_start(fetch, &request, &transfer);   … callbacks on the fetch thread …
 *
 * The thread is a loop that others may use: fetch_post runs a function on it, `tick` is called whenever its deadline passed
 * or something was posted or ended. Callbacks never block. Transfers belong to the fetch thread: start and cancel are called there;
 * only fetch_post, fetch_wake and fetch_free are for any thread. */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct fetch;
struct fetch_transfer;

struct fetch_config {
  const char *name;         /* of the thread, at most 15 bytes */
  unsigned max_connections; /* kept and open in all; 0: 64 */
  const char *user_agent;
  void *arg;
  /* Called on the fetch thread; returns in how many ms to be called again at the latest (<= 0: at once). May be NULL. */
  int64_t (*tick)(void *arg);
};

struct fetch_reply { /* of the last hop */
  int status;
  bool own_origin;         /* credentials were sent: no redirect led to another origin */
  int64_t length;          /* Content-Length, -1 unknown */
  struct str content_type; /* views are valid during the callback only */
  struct str content_encoding;
  struct str content_range; /* raw */
  struct str etag;
  struct str last_modified;
  struct str retry_after;
};

enum fetch_end {
  FETCH_DONE,      /* the whole body came (the announced length, the last chunk, or a close where neither was given) */
  FETCH_CUT,       /* ended or was reset before the announced length */
  FETCH_TIMEOUT,   /* connect, first byte, idle or too slow */
  FETCH_REFUSED,   /* could not connect, name not found, TLS failed, protocol error, too many hops */
  FETCH_FORBIDDEN, /* a redirect or address was not allowed */
  FETCH_TOO_BIG,   /* past max_bytes */
  FETCH_STOPPED,   /* a callback said no, or cancel */
};

struct fetch_result {
  enum fetch_end end;
  int status;            /* of the last hop; 0 if none came */
  int64_t bytes;         /* of body given to on_data */
  int64_t first_byte_ms; /* from the start to the last hop's head; -1 none */
  char detail[160];      /* a sentence for the log, without secrets or queries of URLs */
};

struct fetch_request {
  const char *method; /* "GET", "POST", "PUT", "DELETE"; NULL: GET */
  const char *url;    /* http or https; copied */
  const char *user;   /* Basic credentials, only ever sent to the url's own origin; NULL: none */
  const char *password;
  const char *const
      *headers;          /* "Name: value" lines, NULL-terminated; copied; not sent to another origin after a redirect */
  struct str body;       /* of a POST or PUT; copied */
  int64_t connect_ms;    /* 0: 10,000 */
  int64_t first_byte_ms; /* connected until the head is here; 0: 60,000 */
  int64_t idle_ms;       /* without a byte; 0: 30,000 */
  int64_t slow_bytes;    /* fewer bytes a second than this over slow_ms is a timeout; 0: off */
  int64_t slow_ms;
  int64_t max_bytes; /* of body; 0: none is taken, a reply with a body is FETCH_TOO_BIG */
  unsigned max_hops; /* redirects followed (301, 302, 303, 307, 308); 0: they are answers like others */
  /* https only unless the url is http; and no hop, and no connection's real address, may be loopback, private, link-local,
   * multicast or otherwise special unless this is true (the operator's base is itself such). Judged on the address that
   * the connection uses, never on a look-up before it. */
  bool allow_special_addresses;
  /* The url's own origin is the operator's choice: it may be at any address, by whatever name; and where it is at a special
   * one, a redirect may lead to such too. */
  bool trust_origin;
  void *arg;
  /* The last hop's head is here (redirects that are followed don't show). Return OK to get the body; anything else stops
   * with FETCH_STOPPED. May be NULL. */
  enum err (*on_reply)(void *arg, const struct fetch_reply *reply);
  enum err (*on_data)(void *arg, struct str bytes);
  /* Once, last; the transfer is freed after it. */
  void (*on_end)(void *arg, const struct fetch_result *result);
};

CHECKED enum err fetch_new(const struct fetch_config *config, struct fetch **ret_fetch);
/* Ends all transfers (FETCH_STOPPED), runs what was posted, joins. NULL is fine. Always returns NULL. */
struct fetch *fetch_free(struct fetch *f);
/* (any thread) fn(arg) on the fetch thread. ERR_CLOSED after fetch_free began: fn will not run. */
CHECKED enum err fetch_post(struct fetch *f, void (*fn)(void *arg), void *arg);
/* The same with memory of the caller's, so that it can't fail: task is the fetch thread's from here until its fn is called.
 * Never after fetch_free began: who posts so ends before the fetch does. */
struct fetch_task {
  void (*fn)(void *arg);
  void *arg;
  struct fetch_task *next; /* fetch's */
  bool is_owned;           /* fetch's */
};
void fetch_post_task(struct fetch *f, struct fetch_task *task);
/* (any thread) tick soon. */
void fetch_wake(struct fetch *f);
/* (fetch thread) */
CHECKED enum err fetch_start(struct fetch *f, const struct fetch_request *request,
                             struct fetch_transfer **ret_transfer);
/* (fetch thread) No further bytes come until fetch_resume, which may bring some before it returns; meanwhile the transfer is
 * not too slow. A pause of one that is paused, ended or NULL does nothing. */
void fetch_pause(struct fetch_transfer *t);
void fetch_resume(struct fetch_transfer *t);
/* (fetch thread) on_end comes with FETCH_STOPPED before this returns. */
void fetch_cancel(struct fetch_transfer *t);

/* True for addresses that are no public unicast ones (RFC 6890 and IPv4-mapped forms of them). Pure. */
bool fetch_address_is_special(const struct sockaddr *address);

/* The parts of an absolute http(s) URL as views; ERR_INVALID for anything else, or with control characters or spaces. */
struct fetch_url {
  struct str scheme, userinfo, host, path, query,
      fragment; /* host without brackets' meaning changed: "[::1]" keeps them */
  int port;     /* the scheme's default where none is given */
  bool has_port, has_userinfo, has_query, has_fragment;
};
CHECKED enum err fetch_url_parse(struct str text, struct fetch_url *ret_url);
bool fetch_url_same_origin(const struct fetch_url *a, const struct fetch_url *b);
