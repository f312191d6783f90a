/* calls_filter.h - the filters of a list of calls, its order, and the place where a page begins (calls_list.h).
 * Times are UNIX milliseconds. Thread rule: one owner. */
#pragma once

#include "ledger/calls.h"

enum {
  CALLS_LIST_LIMIT_MAX = 100,
  CALLS_LIST_OFFSET_MAX = 10000,
  CALLS_LIST_COUNT_MAX = 10000,
  CALLS_LIST_FEW = 20000,
  CALLS_LIST_SEARCH_MAX = 200, /* bytes */
  CALLS_LIST_LEGS_MAX = 2000,  /* legs of all trees of a page; and as many recordings */
};

struct calls_key {
  int64_t sort_at;
  char call_sid[SID_SIZE];
  int64_t duration_s; /* of the call; -1: not known, which counts as shorter than 0 */
};

enum calls_sort {
  CALLS_NEWEST, /* by sort_at, call_sid */
  CALLS_OLDEST,
  CALLS_LONGEST, /* by duration_s, sort_at, call_sid */
  CALLS_SHORTEST
};

enum calls_tri { CALLS_ANY, CALLS_YES, CALLS_NO };

/* Filters of a list; zeroes don't filter, but limit must be set. Texts belong to the caller. */
struct calls_filter {
  struct str search;    /* trimmed UTF-8; empty: none */
  struct str status;    /* of the row's call */
  struct str direction; /* of the top leg */
  struct str ref;
  struct str agent;       /* of the tree */
  struct str own_number;  /* of the tree; '+', '-', '.', '(', ')', spaces and the letters' case don't count */
  struct str tag;         /* of the row's call */
  int64_t min_duration_s; /* of the row's call */
  bool by_max_duration;
  int64_t max_duration_s;
  enum calls_sort sort;
  bool by_recording_status;
  enum recording_status recording_status;
  enum calls_tri has_recording;
  int64_t since, until; /* since <= sort_at < until; 0: open */
  bool all_legs;        /* a row for every leg; else for every top leg */
  int limit;            /* 1 … CALLS_LIST_LIMIT_MAX */
  int64_t offset;
  bool after_key; /* only rows after the key `after` */
  struct calls_key after;
  enum calls_sort after_sort; /* the order that `after` is of */
  int64_t few;                /* rows of a source that are read and sorted (calls_list_facets.c); 0: CALLS_LIST_FEW */
  bool count;                 /* for the caller: calls_list_count is wanted too */
};
