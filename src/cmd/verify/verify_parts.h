/* verify_parts.h - what the passes of `verify` share. */
#pragma once

#include "cmd/app.h"
#include "cmd/cmd_progress.h"
#include "ledger/recordings.h"

enum verify_kind {
  VERIFY_MISSING,  /* ready, and its file is not there */
  VERIFY_LENGTH,   /* ready, and its file is of another length */
  VERIFY_CHECKSUM, /* ready, and its file holds other bytes */
  VERIFY_UNREAD,   /* its file is there and can't be read */
  VERIFY_FOUND,    /* a whole file of a recording that is not ready */
  VERIFY_BAD,      /* a file of a recording that is not ready, and not that recording */
  VERIFY_STRAY,    /* nobody's */
  VERIFY_PART,     /* of a fill that is over */
  VERIFY_KIND_COUNT_
};

struct verify {
  const struct cmd_args *args;
  struct app app;
  struct blob_store *store;
  bool repair;
  struct progress progress;
  int64_t files, bytes, bytes_in_all; /* read through; told by the catalog */
  int64_t found[VERIFY_KIND_COUNT_], repaired[VERIFY_KIND_COUNT_];
  int64_t set_aside; /* files that an earlier look set aside */
  int64_t listed;
};

/* verify_report.c: what is printed. */
const char *verify_kind_name(enum verify_kind kind); /* in JSON */
const char *verify_kind_text(enum verify_kind kind); /* for people */
/* Counts and prints one finding: a line, or an object of the list. row: NULL if the file belongs to no recording. */
CHECKED enum err verify_report_finding(struct verify *v, enum verify_kind kind, const char *name,
                                       const struct recording *row, bool is_repaired);
/* Prints the sums. The exit code. */
CHECKED int verify_report_end(struct verify *v);

/* verify_catalog.c: every ready row against its file. */
CHECKED enum err verify_catalog(struct verify *v);
/* verify_files.c: every file against the rows. */
CHECKED enum err verify_files(struct verify *v);
/* verify_adopt.c: the database and the volume at RECORDINGS_DIR belong together from now on. A code of cmd.h. */
CHECKED int verify_adopt(const struct cmd_args *args, struct app *app);

/* verify_repair.c: carries out what follows from a finding, if the row is still as it was judged. *ret_done: it did. */
CHECKED enum err verify_give_up(struct verify *v, enum verify_kind kind, const struct recording *row, bool *ret_done);
struct audio_info;
CHECKED enum err verify_take(struct verify *v, const struct recording *row, const char *name,
                             const struct audio_info *info, const char *sha256, bool *ret_done);

/* What a file's name says: "BUSINESS/yyyy/mm/[CALL.]RECORDING.EXT", "….TOKEN.part" or "….bad". Pure. */
struct verify_name {
  enum { VERIFY_NAME_OTHER, VERIFY_NAME_BLOB, VERIFY_NAME_PART, VERIFY_NAME_ASIDE } kind;
  int64_t business_id;
  char recording_sid[SID_SIZE];
  int64_t token; /* of a part */
};
void verify_name_parse(struct str name, struct verify_name *ret_name);
