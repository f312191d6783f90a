/* api_internal.h - what the files of this room share. Nobody else includes it.
 *
 *   api.c       what a process and a loop have; from a request to its row of the table
 *   routes.c    the table            api_auth.c    who asks
 *   db_call.c    a request that waits for the database
 *   api_session_lookup.c               a cookie that the loop does not know
 *
 * Thread rule: functions here are called on the loop of the exchange, unless marked. */
#pragma once

#include <stdatomic.h>

#include "api/api.h"
#include "api/request/api_answer.h"
#include "api/events/api_event_feed.h"
#include "api/media/api_hits.h"
#include "api/auth/api_key_cache.h"
#include "api/handlers/api_page_files.h"
#include "api/media/api_playbacks.h"
#include "api/auth/api_proxies.h"
#include "api/request/api_quota.h"
#include "api/auth/api_session_cache.h"
#include "api/handlers/api_status_cache.h"
#include "api/auth/api_cookie.h"
#include "api/auth/api_jwt.h"
#include "api/auth/api_jwt_cache.h"
#include "api/auth/api_origin.h"
#include "api/request/problem.h"
#include "base/lock.h"
#include "domain/cache_version.h"
#include "api/media/api_open_files.h"
#include "http/route.h"
#include "provider/provider.h"

/* Who may use a route, and what its body must be. */
enum route_access {
  ROUTE_OPEN = 1, /* no credentials; answered while the process is crowded, too */
  ROUTE_VIEWER,
  ROUTE_AGENT,
  ROUTE_ADMIN,
  ROUTE_MEDIA,   /* a viewer, or a signed URL of that recording */
  ROUTE_ANYBODY, /* no credentials, and no reserve either */
  ROUTE_WHO = 0xf,
  ROUTE_TAKES_PATCH = 0x10, /* a JSON merge patch, or JSON: else 415 */
  ROUTE_HEALTH = 0x20,      /* served by a worker's process, and beyond the limit of connections, too */
  ROUTE_NO_PLATFORM = 0x40, /* not for platform keys: 403 */
  ROUTE_WEBHOOK = 0x80,     /* webhook_is_refused is asked before its body is read */
};

/* Who asks. */
struct subject {
  enum { SUBJECT_NOBODY, SUBJECT_KEY, SUBJECT_USER, SUBJECT_URL } kind;
  enum access_role role;
  bool is_platform;
  int64_t business_id;              /* 0: a platform key of which the business is not known yet */
  int64_t key_id;                   /* 0: none */
  uint64_t number;                  /* tells it from others of its kind in counts */
  int64_t expires_at;               /* wall clock; 0: not by itself */
  char name[JWT_SUBJECT_MAX + 1];   /* USER: as the host calls it, "" unknown; URL: which one */
  char session[SESSION_TOKEN_SIZE]; /* "": not by a cookie */
  uint64_t session_version;         /* under which the session was known; see session_version */
};
enum { SUBJECT_TEXT_SIZE = sizeof("user:") + JWT_SUBJECT_MAX };
/* For logs (api_subject.c): key:ID, user:SUB, url:ID. key veils a SUB that is no plain id: that of signed URLs. */
void subject_text(const struct subject *s, const struct hmac_key *key, char ret_text[SUBJECT_TEXT_SIZE]);
/* Could nobody's number, address or name stand in it? */
bool subject_is_plain_id(struct str name);

/* What a recording is to the id that it was asked for by. */
enum via { VIA_OWN, VIA_PARENT, VIA_CHILD };
const char *via_name(enum via v);

enum {
  BODY_MAX = 64 * 1024,
  REFUSAL_SLOTS = 4096 * 16,
  STREAM_BUCKETS = 256, /* of a loop's event streams, by business */
  WEBHOOK_COMMIT_MS = 5000,
  FILE_CHECK_MS = 1000,
};

struct api;
struct check_batch;
struct play;
struct event_stream;

/* A loop's own; no other thread touches it but where marked. */
struct api_loop {
  struct api *api;
  unsigned index;
  struct access_snapshot *access; /* held */
  struct key_cache *key_cache;    /* of access */
  struct open_files *open_files;
  struct check_batch *checks; /* of the open_files's files, gathered (api_file_check.c); or NULL */
  bool checks_under_way;
  int64_t checks_sent_ms; /* mono */
  struct playbacks_near *playbacks;
  struct status_cache *status_cache;
  struct session_cache *session_cache;
  struct jwt_cache *jwts;
  struct play *waiting;                         /* a list */
  struct event_stream *streams[STREAM_BUCKETS]; /* lists */
  atomic_uint stale; /* (any thread sets) enum stale: to be seen to before the next request */
} __attribute__((aligned(64)));

enum stale {
  STALE_ACCESS = 1,   /* there is a newer snapshot */
  STALE_SHELF = 2,    /* files are to be closed whose rows changed */
  STALE_SUBJECTS = 4, /* who listens to events may have lost that right */
  STALE_STREAMS = 8,  /* events were lost */
};

struct api {
  struct api_parts parts;
  const struct provider *provider;
  struct http_server *server;
  struct str path_base; /* of links: "" or "/sub" */
  char *public_origin;  /* of PUBLIC_BASE_URL, without its path; NULL when there is none */
  char *public_url;     /* with its path, without a trailing '/' */
  struct proxies *proxies;
  struct origins *origins;
  struct jwt *jwt; /* NULL: none is taken */
  struct hmac_key url_key;
  struct cookie_rules cookie;
  struct page_files *page;
  struct event_feed *event_feed;
  struct playbacks *playbacks;
  struct hits *hits;
  struct quota *webhooks;          /* turns of each business */
  struct quota *answers;           /* bytes of large answers of each that are under way */
  struct cache_versions *versions; /* of rows and sessions that loops keep */
  atomic_bool must_sweep;          /* a row changed since the shelves were swept */
  int64_t swept_ms;                /* mono; the changes thread's */
  struct lock lock;                /* rank API: covers newest */
  struct access_snapshot *newest;  /* held */
  atomic_bool draining;
  atomic_int_least64_t *refused; /* REFUSAL_SLOTS: when each was logged last */
  unsigned loop_count;
  struct api_loop *loops;
};

/* What a look for a cookie's session found. */
struct session_seen {
  bool is_there;
  uint64_t version; /* under which it was looked for */
  struct session row;
};

/* One request on its way through. On the stack of the loop: who answers later copies what it needs. */
struct api_request {
  struct api *api;
  struct api_loop *loop;
  struct http_exchange *x;
  const struct http_request *request;
  struct http_match match;
  bool under_base;                 /* it came with the path of PUBLIC_BASE_URL */
  const struct session_seen *seen; /* of its cookie; NULL: not looked for */
  struct subject subject;
  char id[SID_SIZE]; /* of request_id */
};

/* ---- routes.c ---- */
extern const struct http_route api_routes[];
extern const size_t api_route_count;

/* ---- api_auth.c ---- */
/* The first credential that is present decides alone. OK; ERR_DENIED: 401 or 403 was answered; ERR_NOT_YET: it is a cookie
 * whose session has to be looked up. */
CHECKED enum err auth_admit(struct api_request *v);
/* The business of a platform key. False: 400 or 404 was answered. */
CHECKED bool auth_find_business(struct api_request *v);
/* For answers that were waited for: OK: the same credential still admits this subject; ERR_DENIED; ERR_NOT_YET: its session
 * has to be looked up again. */
CHECKED enum err auth_still_admits(const struct api_loop *l, const struct http_exchange *x,
                                   const struct subject *subject);
/* The token of an Authorization header; empty unless it is one well-formed Bearer. Pure. */
struct str auth_bearer(struct str authorization);

/* ---- api_session_lookup.c ---- */
/* Looks for the session of v's cookie on a reader, and has the request begin anew with what was seen; or answers. */
void session_lookup(struct api_request *v);

/* ---- api.c ---- */
/* The request from its beginning, with the session of its cookie. */
void request_resume(struct api *a, struct http_exchange *x, const struct session_seen *seen);
/* Sees to what came from elsewhere and could not be posted, or stands for many. */
void loop_see_to_stale(struct api_loop *l);
/* (any thread) The snapshot that loops are about to take; to be unref'd. */
struct access_snapshot *api_newest_access(struct api *a);
/* It was made by https, as far as somebody whom we trust says so. */
bool request_is_https(const struct api_request *v);
enum id_kind { ID_CALL, ID_RECORDING_OR_CALL };
/* The route's first parameter in v->id. False: 400 was answered. */
CHECKED bool request_id(struct api_request *v, enum id_kind kind);
/* Its value in *ret_text (size bytes), "" when it is missing or empty. False: 400 that names it was answered. */
CHECKED bool request_query(struct api_request *v, const char *name, char *ret_text, size_t size);
/* One more listens to the business of this request: a place to give back with listeners_leave. NULL: too many, 429 was
 * answered. */
struct listener_place *request_listen(struct api_request *v);
/* (any thread) The mark of what is shown under a recording's or a call's SID, for who keeps it: taken before it is read. */
struct cache_mark rows_mark(const struct api *a, int64_t business_id, struct str id);
/* (any thread) A recording or call of the business was written; id empty: not known which, none that is ready. What this
 * process writes itself counts before it is answered, what others write as soon as it is known here. */
void rows_changed(struct api *a, int64_t business_id, struct str id);
/* Content-Location of {base}/api/recordings/{sid}/{what}. */
void field_recording_path(const struct api *a, struct http_fields *f, struct str name, const char *recording_sid,
                          const char *what);

/* ---- api_webhooks.c ---- */
/* True: what its head says is reason enough to refuse it, and it was answered: 415, 401 (no signature), 404. */
CHECKED bool webhook_is_refused(struct api_request *v);

/* ---- api_page.c ---- */
/* The path of PUBLIC_BASE_URL without the '/' behind it: true if it was answered with where the page is. */
CHECKED bool page_moved(struct api_request *v);

/* ---- handlers, by file ---- */
typedef void api_handler(void *arg, struct http_exchange *x);   /* arg: struct api_request */
api_handler api_call_webhook, api_recording_webhook;            /* api_webhooks.c */
api_handler api_list_calls, api_get_call, api_patch_call;       /* api_calls.c, api_calls_patch.c */
api_handler api_recording_status;                               /* api_status.c */
api_handler api_prepare, api_retry, api_retry_all;              /* api_recordings.c */
api_handler api_stream, api_download, api_call_download;        /* api_stream.c */
api_handler api_sign_url;                                       /* api_sign_url.c */
api_handler api_make_session, api_get_session, api_end_session; /* api_session.c */
api_handler api_signin;                                         /* api_signin.c */
api_handler api_events;                                         /* api_event_stream.c */
api_handler api_waveform;                                       /* api_waveform.c */
api_handler api_stats;                                          /* api_stats.c */
api_handler api_healthz, api_readyz;                            /* api_health.c */
api_handler api_metrics;                                        /* api_metrics.c */
api_handler api_page, api_embed_page, api_asset, api_icon;      /* api_page.c */
api_handler api_player_script, api_description;                 /* api_page.c */
