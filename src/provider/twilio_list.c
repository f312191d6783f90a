/* twilio_list.c - Twilio's lists of calls and recordings.
 *
 * Invariants
 *  (1) The next page is requested with credentials. So its url must have the base's origin, or the page is refused.
 *  (2) An entry must name the account that was asked; an entry of another account is refused.
 *  (3) Otherwise an entry is refused only without a SID of its own. A member that can't be read counts as absent.
 *  (4) No text in a page makes it unreadable: bytes that are not text become U+FFFD. */
#include "provider/twilio_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "fetch/fetch.h"
#include "provider/twilio_delivery.h"
#include "provider/twilio_media.h"
#include "provider/twilio_sid.h"
#include "provider/twilio_text.h"

enum { ENTRY_TEXT_MAX = 4096, URL_ROOM = 1024 };

struct twilio_page {
  const struct provider_account *account;
  enum twilio_list list;
  int64_t received_ms;
  json_t *root;    /* owned */
  json_t *entries; /* of root */
  struct buf next;
};

/* How a member of an entry becomes a field. */
struct column {
  const char *name;                                                                         /* Twilio's */
  const char *field;                                                                        /* callreel's */
  enum twilio_verdict (*take)(struct str value, struct buf *storage, struct str *ret_text); /* NULL: unchanged */
};

static const struct column CALL_COLUMNS[] = {
    {"parent_call_sid", CALL_FIELD_PARENT, NULL},
    {"from", CALL_FIELD_FROM, NULL},
    {"to", CALL_FIELD_TO, NULL},
    {"caller_name", CALL_FIELD_CALLER_NAME, NULL},
    {"status", CALL_FIELD_STATUS, NULL},
    {"direction", CALL_FIELD_PROVIDER_DIRECTION, NULL},
    {"duration", CALL_FIELD_DURATION, twilio_call_duration},
    {"start_time", CALL_FIELD_STARTED, twilio_time},
};

static const struct column RECORDING_COLUMNS[] = {
    {"conference_sid", RECORDING_FIELD_CONFERENCE, NULL},
    {"status", RECORDING_FIELD_STATUS, NULL},
    {"duration", RECORDING_FIELD_DURATION, twilio_recording_duration},
    {"channels", RECORDING_FIELD_CHANNELS, twilio_channels},
    {"start_time", RECORDING_FIELD_STARTED, twilio_time},
    {"source", RECORDING_FIELD_SOURCE, NULL},
    {"track", RECORDING_FIELD_TRACK, NULL},
    {"error_code", RECORDING_FIELD_ERROR, twilio_error_code},
};

enum err twilio_list_url(const struct provider_account *account, enum twilio_list list, int64_t since_ms,
                         unsigned page_size, struct buf *b) {
  if (!twilio_sid_is_account(account->account_sid) || page_size < 1 || page_size > TWILIO_PAGE_ITEMS_MAX)
    return ERR_INVALID;
  char since[DATE_TEXT_SIZE];
  date_format_rfc3339(since_ms, since);
  bool calls = list == TWILIO_LIST_CALLS;
  /* The filters' names end in '>', their values are days: "DateCreated>=2026-11-21". */
  return buf_addf(b, "%.*s/2010-04-01/Accounts/%.*s/%s.json?PageSize=%u&%s%%3E=%.10s", STR_ARG(account->base_url),
                  STR_ARG(account->account_sid), calls ? "Calls" : "Recordings", page_size,
                  calls ? "StartTime" : "DateCreated", since);
}

/* A string or number of an entry, as text; empty for null, missing and other types. */
static struct str entry_text(json_t *entry, const char *name, struct buf *storage) {
  json_t *value = json_object_get(entry, name);
  if (json_is_string(value)) return str_of(json_string_value(value), json_string_length(value));
  if (!json_is_integer(value)) return STR_NONE;
  size_t start = storage->n;
  if (buf_addf(storage, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) != OK) return STR_NONE;
  return str_of(storage->p + start, storage->n - start);
}

static enum err page_parse_next(struct twilio_page *page) {
  json_t *value = json_object_get(page->root, "next_page_uri");
  struct str uri = str_of(json_string_value(value), json_string_length(value));
  if (uri.n == 0) return OK;
  if (uri.n > TWILIO_URL_MAX) return ERR_TOO_BIG;
  if (str_starts(uri, STR("/"))) TRY(buf_add(&page->next, page->account->base_url));
  TRY(buf_add(&page->next, uri));
  struct fetch_url next, base;
  if (fetch_url_parse(buf_str(&page->next), &next) != OK || fetch_url_parse(page->account->base_url, &base) != OK)
    return ERR_DENIED;
  if (next.has_userinfo || next.has_fragment || !fetch_url_same_origin(&next, &base)) return ERR_DENIED; /* (1) */
  return OK;
}

/* (4) */
static json_t *load_json(struct str body, json_error_t *ret_why) {
  size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
  struct buf repaired CLEANUP(buf_done) = BUF_INIT(TWILIO_TEXT_GROWTH * body.n + 1);
  json_t *root = json_loadb(body.p, body.n, flags, ret_why);
  if (root || json_error_code(ret_why) == json_error_out_of_memory || twilio_json_repair(body, &repaired) != OK)
    return root;
  return str_eq(buf_str(&repaired), body) ? NULL : json_loadb(repaired.p, repaired.n, flags, ret_why);
}

enum err twilio_page_parse(const struct provider_account *account, enum twilio_list list, struct str body,
                           int64_t received_ms, struct twilio_page **ret_page) {
  if (body.n > TWILIO_PAGE_BYTES_MAX) return ERR_TOO_BIG;
  struct twilio_page *page = calloc(1, sizeof(*page));
  if (!page) return ERR_NOMEM;
  page->account = account;
  page->list = list;
  page->received_ms = received_ms;
  buf_init(&page->next, TWILIO_URL_MAX + URL_ROOM);
  json_error_t why;
  page->root = load_json(body, &why);
  page->entries = json_object_get(page->root, list == TWILIO_LIST_CALLS ? "calls" : "recordings");
  enum err e = OK;
  if (!page->root && json_error_code(&why) == json_error_out_of_memory)
    e = ERR_NOMEM;
  else if (!json_is_array(page->entries))
    e = ERR_INVALID;
  else if (json_array_size(page->entries) > TWILIO_PAGE_ITEMS_MAX)
    e = ERR_TOO_BIG;
  else
    e = page_parse_next(page);
  if (e != OK) {
    twilio_page_free(page);
    return e;
  }
  *ret_page = page;
  return OK;
}

size_t twilio_page_count(const struct twilio_page *page) {
  return json_array_size(page->entries);
}

struct str twilio_page_next(const struct twilio_page *page) {
  return buf_str(&page->next);
}

struct twilio_page *twilio_page_free(struct twilio_page *page) {
  if (!page) return NULL;
  json_decref(page->root);
  buf_done(&page->next);
  free(page);
  return NULL;
}

static enum err add_fields(json_t *entry, const struct column *columns, size_t count, struct buf *storage,
                           struct delivery_part *part) {
  for (size_t i = 0; i < count; i++) {
    struct str value = entry_text(entry, columns[i].name, storage);
    if (value.n == 0) continue;
    if (!str_is_utf8(value)) continue; /* (3): it has a NUL */
    if (columns[i].take && columns[i].take(value, storage, &value) != TWILIO_KEEP) continue;
    TRY(twilio_part_add(part, columns[i].field, value));
  }
  return OK;
}

static enum err call_delivery(const struct twilio_page *page, json_t *entry, struct buf *storage, struct delivery *d) {
  d->call_sid = entry_text(entry, "sid", storage);
  struct str parent = entry_text(entry, "parent_call_sid", storage);
  struct str direction = entry_text(entry, "direction", storage);
  if (!twilio_sid_is_call(d->call_sid)) return ERR_INVALID;
  bool has_parent = twilio_sid_is_call(parent) && !str_eq(parent, d->call_sid); /* a call is not its own parent */
  if (!has_parent) (void)json_object_del(entry, "parent_call_sid");             /* (3) */
  twilio_call_rank(entry_text(entry, "status", storage), &d->call.rank);
  TRY(twilio_part_add(&d->call, CALL_FIELD_ACCOUNT, page->account->account_sid));
  if (direction.n > 0) TRY(twilio_part_add(&d->call, CALL_FIELD_DIRECTION, twilio_direction(direction)));
  return add_fields(entry, CALL_COLUMNS, COUNT_OF(CALL_COLUMNS), storage, &d->call);
}

/* The url of the audio: as the list has it, else the recording's path below the account. */
static enum err add_media_url(const struct twilio_page *page, json_t *entry, struct buf *storage, struct delivery *d) {
  struct str url, url_text = entry_text(entry, "media_url", storage);
  bool forbidden;
  struct buf own CLEANUP(buf_done) = BUF_INIT(URL_ROOM);
  if (url_text.n == 0) {
    TRY(buf_addf(&own, "/2010-04-01/Accounts/%.*s/Recordings/%.*s", STR_ARG(page->account->account_sid),
                 STR_ARG(d->recording_sid)));
    url_text = buf_str(&own);
  }
  TRY(twilio_media_url(page->account, url_text, d->recording_sid, storage, &url, &forbidden));
  TRY(twilio_part_add(&d->recording, RECORDING_FIELD_URL, url));
  return twilio_part_add(&d->recording, RECORDING_FIELD_FORBIDDEN, forbidden ? STR("1") : STR("0"));
}

static enum err recording_delivery(const struct twilio_page *page, json_t *entry, struct buf *storage,
                                   struct delivery *d) {
  d->recording_sid = entry_text(entry, "sid", storage);
  d->call_sid = entry_text(entry, "call_sid", storage);
  if (!twilio_sid_is_recording(d->recording_sid)) return ERR_INVALID;
  if (!twilio_sid_is_call(d->call_sid)) d->call_sid = STR_NONE; /* (3) */
  twilio_recording_rank(entry_text(entry, "status", storage), &d->recording.rank);
  d->call.rank = d->recording.rank;
  TRY(twilio_part_add(&d->call, CALL_FIELD_ACCOUNT, page->account->account_sid));
  TRY(twilio_part_add(&d->recording, RECORDING_FIELD_ACCOUNT, page->account->account_sid));
  TRY(twilio_part_add(&d->recording, RECORDING_FIELD_CALL, d->call_sid));
  TRY(add_media_url(page, entry, storage, d));
  return add_fields(entry, RECORDING_COLUMNS, COUNT_OF(RECORDING_COLUMNS), storage, &d->recording);
}

enum err twilio_page_delivery(struct twilio_page *page, size_t i, struct buf *storage, struct delivery *ret_delivery) {
  json_t *entry = json_array_get(page->entries, i);
  struct delivery *d = ret_delivery;
  TRY(buf_reserve(storage, ENTRY_TEXT_MAX + page->account->base_url.n));
  if (!json_is_object(entry)) return ERR_INVALID;
  d->business_id = page->account->business_id;
  d->received_ms = page->received_ms;
  d->is_backfill = false;
  d->dropped = 0;
  d->found = NULL;
  d->call_sid = d->recording_sid = STR_NONE;
  d->call.count = d->recording.count = 0;
  d->call.rank = d->recording.rank = (struct delivery_rank){.sequence = -1, .timestamp_ms = -1};
  if (!str_eq(entry_text(entry, "account_sid", storage), page->account->account_sid)) return ERR_DENIED; /* (2) */
  return page->list == TWILIO_LIST_CALLS ? call_delivery(page, entry, storage, d)
                                         : recording_delivery(page, entry, storage, d);
}
