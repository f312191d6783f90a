/* delivery.h - one report of a provider (a webhook, or an entry of a list) in a form that does not depend on the
 * provider.
 *
 * src/provider parses into it, intake.h stores it. Fields that callreel knows have the names below, others keep the
 * provider's names. Empty values, and what the provider writes for "unknown", are left out. All texts belong to the
 * caller that filled the delivery.
 * Thread rule: one owner at a time. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct recording_event;

/* Names of known fields of a call. Values are the provider's text, unless a unit is given. */
#define CALL_FIELD_ACCOUNT "account_sid"
#define CALL_FIELD_PARENT "parent_call_sid"
#define CALL_FIELD_FROM "from"
#define CALL_FIELD_TO "to"
#define CALL_FIELD_CALLER_NAME "caller_name"
#define CALL_FIELD_STATUS "status"
#define CALL_FIELD_PROVIDER_DIRECTION "provider_direction" /* in the provider's words */
#define CALL_FIELD_DIRECTION "direction"                   /* inbound or outbound */
#define CALL_FIELD_DURATION "duration"                     /* whole seconds */
#define CALL_FIELD_TIMESTAMP "timestamp"                   /* of the event: UNIX milliseconds */
#define CALL_FIELD_STARTED "started_at"                    /* UNIX milliseconds, if the provider reports it itself */

/* Names of known fields of a recording. */
#define RECORDING_FIELD_ACCOUNT "account_sid"
#define RECORDING_FIELD_CALL "call_sid"
#define RECORDING_FIELD_CONFERENCE "conference_sid"
#define RECORDING_FIELD_STATUS \
  "status"                        /* in-progress, paused, stopped, processing, completed, absent, deleted, failed */
#define RECORDING_FIELD_URL "url" /* absolute, without the format's extension */
#define RECORDING_FIELD_FORBIDDEN "forbidden" /* "1": url may not be fetched; "0": it may. Always with url */
#define RECORDING_FIELD_DURATION "duration"   /* whole seconds, > 0 */
#define RECORDING_FIELD_CHANNELS "channels"   /* 1 or 2 */
#define RECORDING_FIELD_STARTED "started_at"  /* UNIX milliseconds */
#define RECORDING_FIELD_SOURCE "source"
#define RECORDING_FIELD_TRACK "track"
/* Marks of a delivery's values that were longer than DELIVERY_TEXT_MAX and are stored cut: "1". A mark counts for the value
 * with the same rank. */
#define CALL_FIELD_FROM_CUT "from_cut"
#define CALL_FIELD_TO_CUT "to_cut"
#define CALL_FIELD_CALLER_NAME_CUT "caller_name_cut"
#define CALL_FIELD_PROVIDER_DIRECTION_CUT "provider_direction_cut"
#define FIELD_STATUS_CUT "status_cut" /* of a call or a recording */
#define RECORDING_FIELD_SOURCE_CUT "source_cut"
#define RECORDING_FIELD_TRACK_CUT "track_cut"
#define RECORDING_FIELD_ERROR "provider_error" /* the provider's number: 16101 … */

/* FURTHER: fields that callreel does not know. More than that are dropped. */
enum {
  DELIVERY_FURTHER_MAX = 300,
  DELIVERY_KNOWN_MAX = 32,
  DELIVERY_TEXT_MAX = 1024, /* bytes of a known field's value; a url may be longer */
  DELIVERY_FIELDS_MAX = DELIVERY_FURTHER_MAX + DELIVERY_KNOWN_MAX
};

/* True for the names above. */
bool delivery_field_is_known(struct str name);
/* The name of the mark that says that the value of this field was cut, or NULL if its values are never longer. */
const char *delivery_field_cut_mark(struct str name);

struct delivery_field {
  struct str name;
  struct str value; /* never empty; UTF-8 without NUL */
};

/* Of two deliveries the one with the greater rank wins. Members are compared in this order. */
struct delivery_rank {
  bool terminal;
  int64_t sequence;     /* -1: none */
  int64_t timestamp_ms; /* -1: none */
  int status_order;     /* position in the provider's list of statuses, from 0 */
};

struct delivery_part {
  struct delivery_rank rank;
  struct delivery_field fields[DELIVERY_FIELDS_MAX];
  size_t count;
};

struct delivery {
  int64_t business_id;
  struct str call_sid;      /* empty: a recording without a call */
  struct str recording_sid; /* empty: it reports no recording */
  struct delivery_part call;
  struct delivery_part recording;
  int64_t received_ms;
  bool is_backfill; /* its recording is queued at the lowest rank */
  size_t dropped;   /* unknown fields past the limit */
  /* RECORDING_FOUND, or NULL: if the recording is new, it is `ready` at once with that file, which stands in the store. */
  const struct recording_event *found;
};

/* < 0, 0, > 0 as a is less than, equal to or greater than b. */
int delivery_rank_compare(const struct delivery_rank *a, const struct delivery_rank *b);
