/* sim.h - the simulated provider, and what its files share.
 *
 *   sim_main   options, start, end               media     recordings' audio, with faults
 *   control    /sim/…: creates calls             bucket    the second origin, for the fault redirect
 *   lists      the provider's JSON interface     webhook   the fields of webhooks
 *   answer     JSON and XML responses, credentials  journal   the file that keeps calls and recordings
 *   deletion   deletes recordings
 *
 * Thread rule: everything runs on the one loop of `server`, except `bucket`: it has a loop of its own and gets all its input in a
 * signed URL. docs/internals/simulator.md describes the whole. */
#pragma once

#include "base/secret.h"
#include "fault.h"
#include "hooks.h"
#include "http/http.h"
#include "http/route.h"
#include "journal.h"
#include "store.h"
#include "voice.h"

#include <jansson.h>

#define API_VERSION "2010-04-01"

enum { SIM_KEYS_MAX = 8, SIM_URL_MAX = 1000, SIM_TEXT_MAX = 200 };

struct sim_key {
  struct str sid, secret;
};

struct sim {
  const char *account;
  const char *token;
  struct sim_key keys[SIM_KEYS_MAX];
  size_t key_count;
  char *base_url;   /* owned; URL of the service, without a trailing '/' */
  char *webhooks;   /* owned; NULL: send none */
  char *bucket_url; /* owned */
  uint8_t bucket_key[SECRET_KEY_SIZE];
  struct voice *voice;
  struct hooks *hooks;
  struct http_server *server, *bucket;
  struct store store;
  struct journal journal;
  struct faults faults; /* global: of every call and recording */
  int64_t lists;        /* requests for pages of lists */
};

/* ---- answer.c ---- */

enum api_error {
  API_UNAUTHORIZED,
  API_FORBIDDEN_BODY,
  API_NOT_FOUND,
  API_NOT_MONO,
  API_BAD_REQUEST,
  API_BUSY,
  API_BROKEN,
  API_IN_PROGRESS,
  API_NO_METHOD,
};

/* Takes root; NULL: answers 500 (out of memory). */
void answer_json(struct http_exchange *x, int status, json_t *root);
/* {"error": sentence} */
void answer_problem(struct http_exchange *x, int status, const char *sentence);
/* Answers 429; retry_after_s: seconds, 0: without Retry-After. */
void answer_busy(struct http_exchange *x, int64_t retry_after_s, bool json);
/* Answers with an error in the provider's form: JSON, or XML on media paths. */
void answer_api_error(struct http_exchange *x, enum api_error error, bool json);
/* The XML document of an error. */
struct str answer_xml_document(enum api_error error, char *room, size_t size);
/* True if the request has the account's credentials and its path names the account; else it was answered with an error. */
bool answer_authorized(struct sim *sim, struct http_exchange *x, struct str account, bool json);

/* ---- control.c ---- */

void control_create_call(struct sim *sim, struct http_exchange *x, const struct http_match *match);
void control_create_recording(struct sim *sim, struct http_exchange *x, const struct http_match *match);
void control_get_lists(struct sim *sim, struct http_exchange *x, const struct http_match *match);
void control_list_calls(struct sim *sim, struct http_exchange *x, const struct http_match *match);
void control_get_recording(struct sim *sim, struct http_exchange *x, const struct http_match *match);
void control_put_recording(struct sim *sim, struct http_exchange *x, const struct http_match *match);
void control_put_faults(struct sim *sim, struct http_exchange *x, const struct http_match *match);
void control_get_webhooks(struct sim *sim, struct http_exchange *x, const struct http_match *match);
void control_put_webhooks(struct sim *sim, struct http_exchange *x, const struct http_match *match);

/* ---- lists.c ---- */

void lists_account(struct sim *sim, struct http_exchange *x, const struct http_match *match);
void lists_calls(struct sim *sim, struct http_exchange *x, const struct http_match *match);
void lists_recordings(struct sim *sim, struct http_exchange *x, const struct http_match *match);
void lists_call_recordings(struct sim *sim, struct http_exchange *x, const struct http_match *match);
void lists_call(struct sim *sim, struct http_exchange *x, const struct http_match *match);
/* Answers a recording's JSON; a deleted one only with IncludeSoftDeleted. */
void lists_recording(struct sim *sim, struct http_exchange *x, const struct recording *r);

/* ---- media.c ---- */

void media_get(struct sim *sim, struct http_exchange *x, const struct http_match *match);
void media_call_get(struct sim *sim, struct http_exchange *x, const struct http_match *match);

/* How one body is sent. */
struct media_plan {
  char sid[SID_ROOM];
  int64_t seconds;
  unsigned channels;
  bool mp3;
  bool no_length, no_range;
  int64_t slow;     /* bytes a second; 0: no limit */
  int64_t stall_ms; /* silence at half of the body */
  enum { MEDIA_WHOLE, MEDIA_CUT, MEDIA_SHORT } end;
};
/* Sends the body, and counts the result on the main loop. */
void media_send(struct sim *sim, struct http_exchange *x, const struct media_plan *plan);

/* Finds the recording of a file name: its SID, with or without an extension. */
struct recording *media_find_recording(struct sim *sim, struct str name, struct str *ret_extension);

/* ---- deletion.c ---- */

void deletion_answer(struct sim *sim, struct http_exchange *x, const struct http_match *match);
/* GET /sim/recordings/{RE}/deletions */
void deletion_get(struct sim *sim, struct http_exchange *x, const struct http_match *match);
/* True: it was deleted so long ago that nothing is known of it. */
bool deletion_is_over(const struct recording *r);

/* ---- bucket.c ---- */

/* Listens on listen_host, on a port that the kernel chooses; its URLs name public_host. */
CHECKED enum err bucket_new(struct sim *sim, struct str listen_host, struct str public_host);
/* Appends the signed URL of a body. */
CHECKED enum err bucket_url(const struct sim *sim, const struct media_plan *plan, struct buf *b);

/* ---- webhook.c ---- */

/* Adds the webhook that says the call is in that state at that time. */
CHECKED enum err webhook_add_call(const struct sim *sim, struct hook_batch *batch, struct call *c, const char *status,
                                  int64_t at_ms);
/* Adds the webhook that says the recording is in that state. */
CHECKED enum err webhook_add_recording(const struct sim *sim, struct hook_batch *batch, const struct recording *r,
                                       const char *status);
/* Applies the faults to the batch and sends it. Takes it. */
CHECKED enum err webhook_send_batch(struct sim *sim, struct faults *faults, struct hook_batch *batch);
/* Appends the URL that a webhook gives for the recording. */
CHECKED enum err webhook_recording_url(const struct sim *sim, const struct recording *r, struct buf *b);
