/* fetch_transfer.h - one request through all its hops, as the loop of fetch.c sees it. Fetch thread only.
 *
 *   transfer_new(&request, &t);  transfer_begin(t, multi, agent);  … transfer_hop_over(t, code), transfer_expire(t,
 * now) … if (t->state == TRANSFER_ENDED) transfer_free(t, multi); */
#pragma once

#include <curl/curl.h>

#include "fetch/fetch.h"
#include "fetch/fetch_pace.h"
#include "fetch/fetch_redirect.h"

enum transfer_state { TRANSFER_WAITING, TRANSFER_ACTIVE, TRANSFER_ENDED };

struct fetch_transfer {
  struct fetch *fetch;
  struct fetch_transfer *prev, *next; /* of the loop's list */
  enum transfer_state state;
  bool in_multi;

  /* the request; texts are owned */
  struct fetch_request request;
  char **headers;
  char *user, *password, *body;
  size_t body_bytes;
  int64_t start_ms;
  struct fetch_hop hop;

  /* of the current hop */
  CURL *easy;
  struct curl_slist *lines;
  char error[CURL_ERROR_SIZE];
  int64_t begin_ms;
  int64_t connected_ms; /* -1: not yet */
  int64_t head_ms;      /* -1: not yet */
  int64_t last_byte_ms;
  size_t head_bytes;
  size_t dropped_bytes; /* of a redirect's body */
  struct fetch_pace pace;
  bool redirecting;
  bool paused; /* by the caller */
  bool address_refused;
  bool origin_is_special; /* the trusted origin was seen at a special address */
  enum fetch_end stop;    /* why a callback of curl's said no; FETCH_DONE: none did */
  const char *stop_why;

  struct fetch_result result;
};

CHECKED enum err transfer_new(const struct fetch_request *request, int64_t now_ms,
                              struct fetch_transfer **ret_transfer);
/* Takes the transfer out of multi and frees it; on_end was called. NULL is fine. */
void transfer_free(struct fetch_transfer *t, CURLM *multi);
/* WAITING to ACTIVE: its next hop is handed to curl. Ends the transfer if that fails. */
void transfer_begin(struct fetch_transfer *t, CURLM *multi, const char *user_agent, int64_t now_ms);
/* curl is done with the hop: to the end, or WAITING for the next one. */
void transfer_hop_over(struct fetch_transfer *t, CURLM *multi, CURLcode code);
/* Ends it, or only its redirect's body, if a limit passed. */
void transfer_expire(struct fetch_transfer *t, CURLM *multi, int64_t now_ms);
int64_t transfer_deadline_ms(const struct fetch_transfer *t); /* INT64_MAX: none */
/* Calls on_end, once; why may be NULL. The memory stays until transfer_free. */
void transfer_end(struct fetch_transfer *t, enum fetch_end end, const char *why);
