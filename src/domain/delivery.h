/* delivery.h - what a provider told us once (a webhook, an entry of a list), in our own words.
 *
 * A provider's dialect parses into this; intake merges it. Fields that callreel knows have the names below, all others
 * keep the provider's own. Only non-empty values are carried; what the provider writes for "unknown" is left out. All
 * views belong to whoever made the delivery. */
#pragma once

#include <stdint.h>

#include "base/str.h"

/* Names of known fields of a call. Values: text as told, but for those with a unit. */
#define CALL_FIELD_ACCOUNT "account_sid"
#define CALL_FIELD_PARENT "parent_call_sid"
#define CALL_FIELD_FROM "from"
#define CALL_FIELD_TO "to"
#define CALL_FIELD_CALLER_NAME "caller_name"
#define CALL_FIELD_STATUS "status"
#define CALL_FIELD_PROVIDER_DIRECTION "provider_direction" /* as the provider says it */
#define CALL_FIELD_DIRECTION "direction"                   /* inbound or outbound */
#define CALL_FIELD_DURATION "duration"                     /* whole seconds */
#define CALL_FIELD_TIMESTAMP "timestamp"                   /* of the event: UNIX milliseconds */
#define CALL_FIELD_STARTED "started_at"                    /* UNIX milliseconds, where told outright */

/* Names of known fields of a recording. */
#define RECORDING_FIELD_ACCOUNT "account_sid"
#define RECORDING_FIELD_CALL "call_sid"
#define RECORDING_FIELD_CONFERENCE "conference_sid"
#define RECORDING_FIELD_STATUS \
  "status"                        /* in-progress, paused, stopped, processing, completed, absent, deleted, failed */
#define RECORDING_FIELD_URL "url" /* absolute, ready to ask, but for the format's extension */
#define RECORDING_FIELD_FORBIDDEN "forbidden" /* "1": the url may not be fetched; "0": it may. Goes with url always */
#define RECORDING_FIELD_DURATION "duration"   /* whole seconds, > 0 */
#define RECORDING_FIELD_CHANNELS "channels"   /* 1 or 2 */
#define RECORDING_FIELD_STARTED "started_at"  /* UNIX milliseconds */
#define RECORDING_FIELD_SOURCE "source"
#define RECORDING_FIELD_TRACK "track"
#define RECORDING_FIELD_ERROR "provider_error" /* the provider's number: 16101 … */

/* FURTHER: fields that callreel does not know. Those past the ceiling are dropped. */
enum {
  DELIVERY_FURTHER_MAX = 300,
  DELIVERY_KNOWN_MAX = 24,
  DELIVERY_FIELDS_MAX = DELIVERY_FURTHER_MAX + DELIVERY_KNOWN_MAX
};

/* Is it one of the names above? */
bool delivery_field_is_known(struct str name);

struct delivery_field {
  struct str name;
  struct str value; /* never empty; UTF-8 without NUL */
};

/* Which of two deliveries is believed: compared member by member, in this order. */
struct delivery_rank {
  bool terminal;
  int64_t sequence;     /* -1: none */
  int64_t timestamp_ms; /* -1: none */
  int status_order;     /* position in the provider's list of status_cache, from 0 */
};

struct delivery_part {
  struct delivery_rank rank;
  struct delivery_field fields[DELIVERY_FIELDS_MAX];
  size_t count;
};

struct delivery {
  int64_t business_id;
  struct str call_sid;      /* empty: a recording without a call */
  struct str recording_sid; /* empty: nothing is told of a recording */
  struct delivery_part call;
  struct delivery_part recording;
  int64_t received_ms;
  size_t dropped; /* further fields that it had no room for */
};

int delivery_rank_compare(const struct delivery_rank *a, const struct delivery_rank *b);
