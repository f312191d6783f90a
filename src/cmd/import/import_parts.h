/* import_parts.h - what the files of `callreel import` share: cmd_import.c has the options and report, import_rows.c reads the
 * rows of an earlier system's calls, import_index.c finds a call's row again, import_files.c goes through the files,
 * import_target.c finds out which recordings they are, import_file.c judges, links and copies one file, import_write.c writes the
 * rows of files.
 *
 * Thread rule: the main thread, except what is marked (any thread). */
#pragma once

#include "audio/audio.h"
#include "blob/blob.h"
#include "cmd/app.h"
#include "cmd/cmd_progress.h"
#include "domain/recording.h"
#include "ledger/calls.h"

enum import_how { IMPORT_EITHER, IMPORT_LINK, IMPORT_COPY };

/* Why a row or a file was not taken. */
enum import_refusal {
  IMPORT_TAKEN,
  IMPORT_ALREADY, /* it is ready: not refused */
#define REFUSAL(name, word, text) IMPORT_##name,
#include "cmd/import/import_refusal.def"
#undef REFUSAL
  IMPORT_REFUSAL_COUNT_
};

/* The row of a call, as far as files need it. */
struct import_entry {
  char call_sid[SID_SIZE], recording_sid[SID_SIZE]; /* recording_sid may be "" */
  int64_t business_id;
};
struct import_index {
  struct import_entry *by_call;       /* owned; sorted by call_sid */
  struct import_entry **by_recording; /* owned; sorted by recording_sid; those that have one */
  size_t count, room, recording_count;
};
CHECKED enum err import_index_add(struct import_index *x, const struct import_entry *entry);
CHECKED enum err import_index_sort(struct import_index *x); /* after the last add */
const struct import_entry *import_index_find_call(const struct import_index *x, struct str sid);
const struct import_entry *import_index_find_recording(const struct import_index *x, struct str sid);
void import_index_done(struct import_index *x);

struct import {
  const struct cmd_args *args;
  struct app app;
  struct blob_store *store;
  int dir;             /* of the files */
  int64_t business_id; /* --business; 0: none */
  enum import_how how;
  bool compares; /* --compare: nothing is written */
  const char *calls_file, *calls_url, *table;
  const char *columns[64]; /* --column TARGET=NAME */
  size_t column_count;
  struct import_index index;
  struct progress progress;
  int64_t rows, calls, files, linked, copied, already, refused, bytes;
};

/* Prints a refusal. file: relative to DIR, or NULL for a row, which has a number then. */
void import_refuse(struct import *im, const char *file, int64_t row, enum import_refusal why);
/* Takes all rows of --calls or --calls-from. Returns an exit code. */
CHECKED int import_rows(struct import *im);
/* Takes all files of DIR. */
CHECKED enum err import_files(struct import *im);

/* ---- a file ---- */

struct import_file {
  char *path; /* owned; relative to DIR */
  enum import_refusal why;
  bool is_new;          /* the recording has no row yet */
  struct recording row; /* the recording; of a new one what is known */
  char stem[RECORDING_NAME_SIZE];
  /* import_file_take */
  char name[RECORDING_NAME_SIZE];
  struct audio_info info;
  char sha256[65];
  int64_t modified_ms;
  bool is_copied;
  bool is_written; /* import_write: its recording is ready */
};
/* Finds out which recordings they are. Sets why, is_new, row, stem of each. */
CHECKED enum err import_targets(struct import *im, struct import_file *files, size_t count);
/* Makes the recordings of the files that were taken ready. Sets why of those whose rows changed meanwhile. */
CHECKED enum err import_write(struct import *im, struct import_file *files, size_t count);
/* (any thread) Judges the file by its bytes, and links or copies it into the store. Sets why and the rest. */
void import_file_compare(const struct import *im, struct import_file *f); /* (any thread) sets why only */
void import_file_take(const struct import *im, struct import_file *f);
