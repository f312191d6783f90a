/* fetch_transfer.h - one request with all its hops, for the loop of fetch.c.
 *
 *   transfer_new(&request, now_ms, &t);  transfer_begin(t, multi, agent, now_ms);
 *   … transfer_hop_over(t, multi, code), transfer_expire(t, multi, now_ms) …
 *   if (t->state == TRANSFER_ENDED) transfer_free(t, multi);
 *
 * Thread rule: fetch thread only. */
#pragma once

#include <curl/curl.h>

#include "fetch/fetch.h"
#include "fetch/fetch_pace.h"
#include "fetch/fetch_redirect.h"

enum transfer_state { TRANSFER_WAITING, TRANSFER_ACTIVE, TRANSFER_ENDED };

struct fetch_transfer {
  struct fetch *fetch;
  struct fetch_transfer *prev, *next; /* in the loop's list */
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
  int64_t connected_ms; /* -1: not connected yet */
  int64_t head_ms;      /* -1: no head received yet */
  int64_t last_byte_ms;
  size_t head_bytes;
  size_t dropped_bytes; /* bytes of a redirect's body */
  struct fetch_pace pace;
  bool redirecting;
  bool paused; /* by fetch_pause */
  bool address_refused;
  bool origin_is_special; /* a connection to the trusted origin used a special address */
  enum fetch_end stop;    /* how a callback of curl's ended the transfer; FETCH_DONE: none did */
  const char *stop_why;

  struct fetch_result result;
};

CHECKED enum err transfer_new(const struct fetch_request *request, int64_t now_ms,
                              struct fetch_transfer **ret_transfer);
/* Removes the transfer from multi and frees it. NULL is allowed. Does not call on_end. */
void transfer_free(struct fetch_transfer *t, CURLM *multi);
/* WAITING to ACTIVE: starts the next hop. Ends the transfer if that fails. */
void transfer_begin(struct fetch_transfer *t, CURLM *multi, const char *user_agent, int64_t now_ms);
/* The hop has ended in curl: ends the transfer, or sets it WAITING for the next hop. */
void transfer_hop_over(struct fetch_transfer *t, CURLM *multi, CURLcode code);
/* If a time limit has passed, ends the transfer, or follows the redirect whose body was too slow. */
void transfer_expire(struct fetch_transfer *t, CURLM *multi, int64_t now_ms);
int64_t transfer_deadline_ms(const struct fetch_transfer *t); /* INT64_MAX: none */
/* Ends the transfer and calls on_end, once; why may be NULL. The memory is valid until transfer_free. */
void transfer_end(struct fetch_transfer *t, enum fetch_end end, const char *why);
