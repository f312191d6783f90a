/* verify_parts.h - what the passes of `callreel verify` share.
 *
 * Thread rule: the main thread. */
#pragma once

#include "cmd/app.h"
#include "cmd/cmd_progress.h"
#include "ledger/recordings.h"

enum verify_kind {
  VERIFY_MISSING,  /* a ready recording without a file */
  VERIFY_LENGTH,   /* a ready recording whose file has another length */
  VERIFY_CHECKSUM, /* a ready recording whose file has another checksum */
  VERIFY_UNREAD,   /* the file exists but can't be read */
  VERIFY_FOUND,    /* a complete file of a recording that is not ready */
  VERIFY_BAD,      /* a damaged file of a recording that is not ready */
  VERIFY_STRAY,    /* a file that no recording refers to */
  VERIFY_PART,     /* a part whose fill has ended */
  VERIFY_KIND_COUNT_
};

struct verify {
  const struct cmd_args *args;
  struct app app;
  struct blob_store *store;
  bool repair;
  struct progress progress;
  int64_t files, bytes, bytes_in_all; /* files and bytes that were read; bytes of the catalog */
  int64_t found[VERIFY_KIND_COUNT_], repaired[VERIFY_KIND_COUNT_];
  int64_t set_aside; /* .bad files of earlier repairs */
  int64_t listed;    /* findings that were printed as JSON */
};

/* verify_report.c: prints the report. */
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
/* verify_adopt.c: makes the volume at RECORDINGS_DIR the one that the database knows. Returns an exit code. */
CHECKED int verify_adopt(const struct cmd_args *args, struct app *app);

/* verify_repair.c: repairs a finding. *ret_done is false if the row has changed since it was compared; nothing is repaired then.
 * verify_give_up marks the recording as missing and renames a damaged file. verify_take makes the recording ready with the
 * file. */
CHECKED enum err verify_give_up(struct verify *v, enum verify_kind kind, const struct recording *row, bool *ret_done);
struct audio_info;
CHECKED enum err verify_take(struct verify *v, const struct recording *row, const char *name,
                             const struct audio_info *info, const char *sha256, bool *ret_done);

/* Parses a file's name: "BUSINESS/yyyy/mm/[CALL.]RECORDING.EXT" (BLOB), "….TOKEN.part" (PART), "….bad" (ASIDE), or OTHER.
 * Pure. */
struct verify_name {
  enum { VERIFY_NAME_OTHER, VERIFY_NAME_BLOB, VERIFY_NAME_PART, VERIFY_NAME_ASIDE } kind;
  int64_t business_id;
  char recording_sid[SID_SIZE];
  int64_t token; /* of a part */
};
void verify_name_parse(struct str name, struct verify_name *ret_name);
