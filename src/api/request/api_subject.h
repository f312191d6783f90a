/* api_subject.h - who makes a request, as authentication found it (api_auth.h), and how logs name that subject.
 *
 *   char by[SUBJECT_TEXT_SIZE];
 *   subject_text(&req->subject, &req->api->url_key, by);      key:ID, user:SUB, url:ID
 *
 * Thread rule: pure. */
#pragma once

#include "base/hmac.h"
#include "domain/access.h"
#include "ledger/sessions.h"

enum { SUBJECT_NAME_MAX = 200 };

struct subject {
  enum { SUBJECT_NOBODY, SUBJECT_KEY, SUBJECT_USER, SUBJECT_URL } kind;
  enum access_role role;
  bool is_platform;
  int64_t business_id;              /* 0: a platform key whose business is not known yet */
  int64_t key_id;                   /* 0: none */
  uint64_t number;                  /* tells it from others of its kind in counts */
  int64_t expires_at;               /* wall clock, ms; 0: it does not expire by itself */
  char name[SUBJECT_NAME_MAX + 1];  /* USER: the host's name for it, "" unknown; URL: which one */
  char session[SESSION_TOKEN_SIZE]; /* "": not by a cookie */
  uint64_t credential;              /* session_number of the session or signed URL; 0: by neither */
  int64_t url_key_id;               /* URL: the API key with which it ends; 0: none */
  uint64_t session_version;         /* the version under which the session was read; see session_version */
};

enum { SUBJECT_TEXT_SIZE = sizeof("user:") + SUBJECT_NAME_MAX };
/* For logs. A SUB that is no plain id is replaced by a MAC under key, which is the key of signed URLs. */
void subject_text(const struct subject *s, const struct hmac_key *key, char ret_text[SUBJECT_TEXT_SIZE]);
/* True if name can't contain a phone number, an address or a personal name. */
bool subject_is_plain_id(struct str name);
