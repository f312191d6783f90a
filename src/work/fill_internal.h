/* fill_internal.h - what the files fill_*.c share: the fill itself and its steps. */
#pragma once

#include "audio/audio.h"
#include "base/digest.h"
#include "work/fill.h"

enum {
  FILL_RESTARTS_MAX = 3,
  FILL_CREDENTIALS_MS = 5 * 1000, /* newer credentials are waited for this long … */
  FILL_CREDENTIALS_LOOK_MS = 20,  /* … looking this often */
  FILL_RENEW_MS = 10 * 1000,      /* a lease is renewed this often at least … */
  FILL_PROGRESS_MS = 1000,        /* … and this often while bytes arrive, so that all see how far it is … */
  FILL_PLAYED_MS = 50,            /* … or this often while somebody plays it: other processes' listeners follow it */
  FILL_REPORT_AGAIN_MS = 1000,    /* a report that the database did not take is repeated */
  FILL_SLOW_MS = 10 * 1000,
  FILL_BUFFER_BYTES = 256 * 1024,  /* that came and are not written yet: then the transfer pauses */
  FILL_IN_MAX_BYTES = 1024 * 1024, /* with the delivery that went past that */
};

enum fill_state {
  FILL_LOOKING,    /* disk: is it here already? else a part is begun; or the ledger gives the token for that */
  FILL_ASKING,     /* the provider was asked, no answer yet */
  FILL_STREAMING,  /* bytes arrive */
  FILL_PAUSED,     /* broken after its first byte, or its credentials are still on their way: waits to go on */
  FILL_SYNCING,    /* disk: all bytes are here */
  FILL_ASSERTING,  /* the lease is confirmed once more before the name is given */
  FILL_PUBLISHING, /* disk */
  FILL_REPORTING,  /* its last word is on the way to the ledger */
};

struct fill {
  const struct fill_context *context;
  struct recording row;
  struct access_snapshot *snapshot; /* NULL before the first ask */
  int64_t credentials_version;      /* what is to be asked with, at least */
  struct provider_account account;  /* views into snapshot */
  enum fill_state state;
  bool lost;      /* the lease is another's: end without a word */
  bool returning; /* being drained */

  /* asking */
  struct provider_ask ask;
  struct fetch_transfer *transfer;
  size_t format;               /* index into the context's formats */
  bool without_channels;       /* the provider refused RequestedChannels=2 */
  bool saw_404, saw_not_audio; /* in this ask */
  bool answered;               /* the ledger knows that it is downloading */

  /* the verdict of a callback that stopped the transfer; RECORDING_NONE: none did */
  enum recording_error stopped_by;
  enum {
    FILL_STOP_NONE,
    FILL_STOP_NOT_THERE,
    FILL_STOP_OTHER_FORMAT,
    FILL_STOP_NOT_AUDIO,
    FILL_STOP_CHANGED, /* a restart brought other bytes than those that are here */
    FILL_STOP_ERROR
  } stop;
  int64_t retry_after_ms;

  /* streaming */
  struct blob_part *part;
  int64_t size;             /* of the part: what was written, as this thread knows it */
  struct buf in;            /* came while a write was under way (fill_write.c) */
  bool is_writing;          /* a write is under way … */
  int64_t writing_bytes;    /* … of so many bytes */
  bool is_held;             /* the transfer is paused until the write is back */
  bool is_over;             /* the transfer ended, and it was not acted on yet … */
  struct fetch_result over; /* … with this */
  struct audio *audio;
  struct digest *digest;
  int64_t total;    /* announced, -1 unknown */
  int64_t compared; /* of a restart from 0: bytes that were held against the part so far; -1: not restarting */
  bool begun;       /* audio, and more than 1,000 bytes: validators are made, listeners hear it */
  bool told;        /* bytes of this part were: whatever becomes of the validators, they stay what they are */
  char etag[RECORDING_ETAG_SIZE];
  int64_t modified_at;
  char source_etag[256], source_modified[64]; /* the provider's validators, for If-Range */
  bool asked_rest;                            /* the transfer in hand asked for what follows the part */
  struct tape *tape;                          /* while begun; NULL: nobody of this process can hear it */
  bool inherits;                              /* the validators of before are right, as far as is known */
  int before;                                 /* the part that a dead worker left; -1: none, or compared to its end */
  int64_t before_bytes;
  unsigned restarts;
  int64_t resume_at_ms; /* mono; of PAUSED */
  int64_t started_ms;   /* mono, for "seconds" */

  /* publishing */
  struct audio_info info;
  char name[RECORDING_NAME_SIZE];
  char sha256[2 * SHA256_SIZE + 1];
  enum err disk_error;
  bool taken; /* the file was there already */

  /* the lease, as the holder sees it */
  int64_t lease_mono_ms; /* until when it is surely ours */
  int64_t renewed_ms;    /* mono, when a renewal was last sent */
  int64_t renewed_bytes;
  bool renewing;
  unsigned jobs; /* reports and disk steps under way: memory stays until they are back */

  struct recording_event last; /* the last word */
  int64_t report_again_ms;     /* mono; 0: not waiting */
  char log_why[160];
};

/* fill.c */
void fill_ask(struct fill *f); /* ASKING with the format in hand */
void fill_fail(struct fill *f, enum recording_error error);
void fill_end(struct fill *f, enum recording_event_kind kind); /* REPORTING: the last word */
void fill_release_if_idle(struct fill *f); /* last use: frees it when nothing is under way any more */
void fill_lease_lost(struct fill *f);      /* may free it: the caller's last use */
void fill_body_over(struct fill *f);       /* all bytes are here */
void fill_break(struct fill *f, enum recording_error error);
void fill_transfer_over(struct fill *f, const struct fetch_result *r);

/* fill_write.c: from the transfer to the part */
/* The part gets these bytes next. Its caller stops the transfer on an error. */
CHECKED enum err fill_write_take(struct fill *f, struct str bytes);
/* Where the byte that comes next belongs. */
int64_t fill_write_position(const struct fill *f);
/* The transfer is over: fill_transfer_over as soon as all that came is written. result NULL: it was over already. */
void fill_write_end(struct fill *f, const struct fetch_result *result);
void fill_drop_part(struct fill *f, bool is_left); /* closes it; its file is removed unless it is left to others */
void fill_drop_before(struct fill *f);

/* fill_stream.c: fetch's callbacks and what becomes of bytes */
/* A write came back: e is of appending these bytes; f->stop says what is wrong with them. */
void fill_written(struct fill *f, struct str bytes, enum err e);
CHECKED enum err fill_send(struct fill *f);
CHECKED enum err fill_forget_bytes(struct fill *f); /* as if nothing had come, but for the part */

CHECKED enum err fill_make_validators(struct fill *f);
/* How many leading bytes of `bytes` are those of fd from offset on. What can't be read differs. */
int64_t fill_equal_prefix(int fd, int64_t offset, struct str bytes);

/* fill_tape.c: listeners, and what a dead worker told them */
CHECKED enum err fill_begin(struct fill *f); /* its bytes are audio: validators */
void fill_open_tape(struct fill *f);         /* the ledger has them: listeners hear it */
void fill_tell_listeners(struct fill *f);    /* of what was appended */
void fill_tell_whole(struct fill *f);
void fill_hand_listeners_over(struct fill *f); /* to whoever has the lease now */
void fill_close_listeners(struct fill *f);     /* the fill's end */
void fill_void_validators(struct fill *f);     /* bytes that were told are no longer right: cuts listeners */
void fill_find_before(struct fill *f);         /* on the disk pool, before the parts of before are swept */
void fill_forget_before(struct fill *f);
void fill_compare_length(struct fill *f, int64_t length); /* as the provider announces it; -1 unknown */
void fill_compare_end(struct fill *f);                    /* no byte follows */
bool fill_is_compared(const struct fill *f);              /* with all that was left, or there was nothing */

/* fill_report.c: what the ledger is told */
void fill_renew(struct fill *f, enum recording_event_kind kind); /* RENEW or ANSWERED */
void fill_report_last(struct fill *f);
void fill_report_anew(struct fill *f);  /* then fill_check_store, under another token, or fill_lease_lost */
void fill_assert_lease(struct fill *f); /* then fill_publish or fill_lease_lost */

/* fill_disk.c: steps on the disk pool */
void fill_check_store(struct fill *f);
void fill_cut(struct fill *f); /* the part is emptied; then fill_ask */
void fill_sync(struct fill *f);
void fill_publish(struct fill *f);
