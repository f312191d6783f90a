/* service.h - the API behind a real server on a free port, with its own database and store, for one test. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/api.h"
#include "ledger/calls.h"
#include "ledger/keys.h"

struct service {
  char dir[64];
  char url[128];
  char recordings[96];
  struct conf conf;
  unsigned loops; /* 0: one */
  struct db_writer *writer;
  struct db_readers *readers;
  struct events *events;
  struct tapes *tapes;
  struct tape_follows *follows;
  struct blob_store *store;
  struct volume *volume;
  struct access_snapshot *access;
  struct api *api;
  struct http_server *server;
  int64_t business, other;
  char admin[KEY_TEXT_SIZE], agent[KEY_TEXT_SIZE], viewer[KEY_TEXT_SIZE], stranger[KEY_TEXT_SIZE],
      platform[KEY_TEXT_SIZE];
  bool worker_alive, account_stopped, storage_full;
  const char *not_ready;
};

#define SERVICE_URL_KEY "a key that signs URLs"
#define SERVICE_ACCOUNT "AC00000000000000000000000000000001"
#define SERVICE_TOKEN "12345678901234567890123456789012"

int service_setup(void **state); /* a test may change conf and loops before service_start */
int service_teardown(void **state);
void service_start(struct service *s);
void service_stop(struct service *s);
/* The path and query of a signed URL of the business's recording, with its row. */
void service_sign_url(struct service *s, const char *recording_sid, int64_t ttl_s, char *ret_target, size_t size);
/* Makes a new access snapshot from the database and hands it to the API. */
void service_load_access(struct service *s);
/* Revokes all keys of the business. */
void service_revoke(struct service *s);

/* Rows. */
void service_call(struct service *s, int64_t business, const char *sid, const char *parent);
void service_recording(struct service *s, int64_t business, const char *sid, const char *call,
                       enum recording_status status);
/* Makes the recording ready with a file of that many bytes, and reports the change to the API. */
void service_ready(struct service *s, int64_t business, const char *sid, int64_t bytes);
/* Makes the recording failed, and retried three times just now. Unless the failure is permanent, it is due in 30 s. */
void service_fail(struct service *s, int64_t business, const char *sid, const char *code, bool permanent);
struct recording service_row(struct service *s, int64_t business, const char *sid);
/* Returns when a request has queued the recording. */
void service_until_wanted(struct service *s, int64_t business, const char *sid);
/* Reports to the API that the recording's row changed. */
void service_tell_row(struct service *s, int64_t business, const char *sid);
/* Removes the recording's file. */
void service_lose_file(struct service *s, int64_t business, const char *sid);

struct answer {
  int status;
  char head[8192];
  char body[1024 * 1024]; /* of lists that grow */
  size_t body_n;
};
/* One request on a connection of its own. key NULL: none. headers: whole lines, or "". */
int service_send(struct service *s, const char *method, const char *path, const char *key, const char *headers,
                 const char *body);
void service_receive(int fd, struct answer *ret_answer); /* closes fd */
struct answer *service_ask(struct service *s, const char *method, const char *path, const char *key,
                           const char *headers, const char *body); /* valid until the next */
/* The value of a header line, "" when there is none. Valid until the next call. */
const char *answer_header(const struct answer *a, const char *name);
/* The signature of a form's parameters, already in order and concatenated, under url. */
void service_sign(const char *url, const char *parameters, char ret_signature[64]);
