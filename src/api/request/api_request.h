/* api_request.h - the context of one request, and what handlers read from it.
 *
 *   void api_example(void *arg, struct http_exchange *x) {
 *     struct api_request *req = arg;
 *     if (!request_id(req, ID_CALL) || !request_query(req, "limit", text, sizeof(text))) return;   it was answered
 *     … answer x now, or begin a db_call (api_db_call.h) …
 *   }
 *
 * api_dispatch.c fills it in. It lives on the stack of the loop: a handler that answers later copies what it needs.
 * Thread rule: the exchange's loop. */
#pragma once

#include "api/request/api_loop.h"
#include "api/request/api_subject.h"
#include "domain/access.h"
#include "http/http.h"
#include "http/route.h"
#include "ledger/sessions.h"

enum {
  BODY_MAX = 64 * 1024,                  /* of every other route */
  TRANSCRIPT_BODY_MAX = 4 * 1024 * 1024, /* of a correction, which has the whole transcript: some 5 hours of speech */
};

typedef void api_handler(void *arg, struct http_exchange *x); /* arg: struct api_request */

/* The access column of routes.c: the roles that may use a route, and the kind of its body. */
enum route_access {
  ROUTE_OPEN = 1, /* no credentials; it is answered while the process is crowded, too */
  ROUTE_VIEWER,
  ROUTE_AGENT,
  ROUTE_ADMIN,
  ROUTE_MEDIA,   /* a viewer, or a signed URL of that recording */
  ROUTE_ANYBODY, /* no credentials, and no reserve of connections either */
  ROUTE_WHO = 0xf,
  ROUTE_TAKES_PATCH = 0x10, /* a JSON merge patch, or JSON: else 415 */
  ROUTE_HEALTH = 0x20,      /* a worker's process serves it too, and it is answered beyond the limit of connections */
  ROUTE_NO_PLATFORM = 0x40, /* platform keys get 403 */
  ROUTE_WEBHOOK = 0x80,     /* webhook_admit runs before its body is read, and after */
};

/* Rows that a reader found: a cookie's session, or a key or business that the access snapshot lacked. */
struct session_seen {
  bool is_there;
  uint64_t version; /* read before the session was */
  struct session row;
  char token[SESSION_TOKEN_SIZE]; /* of the cookie's values, the one with the newest session */
};

/* Begins the request again. seen: the rows that a reader found; NULL: nothing was read. */
typedef void request_resume_fn(struct api *a, struct http_exchange *x, const struct session_seen *seen);

/* Why a request can't be judged yet. */
enum request_lacks {
  LACKS_ROW,      /* the row of its session or signed URL, which is not cached */
  LACKS_KEY,      /* its key is not in the access snapshot: it may be new */
  LACKS_BUSINESS, /* the business subject.business_id is not in the access snapshot */
};

struct api_request {
  struct api *api;
  struct api_loop *loop;
  struct http_exchange *x;
  const struct http_request *request;
  struct http_match match;
  bool under_base;                 /* its path begins with the path of PUBLIC_BASE_URL */
  const struct session_seen *seen; /* NULL: nothing was read */
  enum request_lacks lacks;        /* after ERR_NOT_YET */
  request_resume_fn *resume;       /* for a lookup: begins the request again */
  struct subject subject;
  char id[SID_SIZE]; /* set by request_id */
};

enum id_kind { ID_CALL, ID_RECORDING_OR_CALL };
/* Copies the route's first parameter into req->id. False: it is no such id, and 400 was answered. */
CHECKED bool request_id(struct api_request *req, enum id_kind kind);
/* Copies a query parameter into ret_text (size bytes), "" when it is missing or empty: for filters of lists, and their pages.
 * False: 400 that names it was answered. */
CHECKED bool request_query(struct api_request *req, const char *name, char *ret_text, size_t size);
/* The same for every other parameter: one that is there, but empty, is answered with 400 too. */
CHECKED bool request_query_value(struct api_request *req, const char *name, char *ret_text, size_t size);
/* A parameter that is "0", "1" or missing. */
CHECKED bool request_query_flag(struct api_request *req, const char *name, bool *ret_flag);
/* Counts the request among the listeners of its business. The caller gives the place back with listeners_leave. NULL: there
 * are too many, and 429 was answered. */
struct listener_place *request_listen(struct api_request *req);
enum { CLIENT_ADDRESS_SIZE = 64 };
/* The client's address: the peer's, or behind trusted proxies the nearest one in X-Forwarded-For that is no proxy's. */
void request_client_address(const struct api *a, struct http_exchange *x, char ret_address[CLIENT_ADDRESS_SIZE]);
/* True if the client used https: the X-Forwarded-Proto of the outermost trusted proxy says so. */
bool request_is_https(const struct api_request *req);
/* True if the body has a content coding; an empty Content-Encoding and "identity" are none. */
bool request_is_encoded(const struct http_request *r);
/* True if the body is a form (application/x-www-form-urlencoded) without a content coding. */
bool request_is_form(const struct http_request *r);
/* True if a trusted proxy reports several schemes in X-Forwarded-Proto. */
bool request_has_several_protos(const struct api_request *req);
/* Adds the field name (Location, Content-Location) with {base}/api/recordings/{recording_sid}/{what}. */
void field_recording_path(const struct api *a, struct http_fields *f, struct str name, const char *recording_sid,
                          const char *what);
