/* fill_internal.h - what the files fill_*.c share: struct fill and the steps of a fill. fill.c has the states.
 * Thread rule: the worker's thread, except what is said to run on the disk pool. */
#pragma once

#include "audio/audio.h"
#include "base/digest.h"
#include "work/fill.h"

enum {
  FILL_RESUMES_MAX = 3,           /* requests that resume a format after breaks */
  FILL_ASKS_AGAIN_MAX = 3,        /* requests that follow a failure that passes, before the first byte */
  FILL_SHORT_TIMEOUT_MS = 5000,   /* a request that timed out sooner failed in passing */
  FILL_CREDENTIALS_MS = 5 * 1000, /* how long a fill waits for newer credentials … */
  FILL_CREDENTIALS_POLL_MS = 20,  /* … and how often it looks whether they came */
  FILL_RENEW_MS = 10 * 1000,      /* a lease is renewed at least this often, … */
  FILL_PROGRESS_MS = 1000,        /* … this often while bytes arrive, so that all processes see the progress, … */
  FILL_PLAYED_MS = 50,         /* … and this often while it is played: listeners of other processes follow the row */
  FILL_REPORT_RETRY_MS = 1000, /* pause before a final report is repeated that the database did not take */
  FILL_SLOW_MS = 10 * 1000,    /* "Slow download detected" is logged at this age */
  FILL_BUFFER_BYTES = 256 * 1024,        /* the transfer pauses when this much waits to be written */
  FILL_INCOMING_MAX_BYTES = 1024 * 1024, /* the buffer's ceiling: FILL_BUFFER_BYTES and one delivery of the transfer */
};

enum fill_state {
  /* Before the fill asks: a disk step looks for a finished file, else begins a part; or a disk step empties the part; or
   * the ledger gives a new token. */
  FILL_CHECKING_STORE,
  FILL_ASKING,    /* the request was sent, no answer yet */
  FILL_STREAMING, /* bytes arrive */
  /* Waits until resume_at_ms, then asks: after a break or a failure that passes, or while newer credentials are missing. */
  FILL_PAUSED,
  FILL_SYNCING,    /* disk: all bytes are written */
  FILL_ASSERTING,  /* the lease is renewed once more before the file gets its name */
  FILL_PUBLISHING, /* disk: the file gets its name */
  /* The final report is on its way to the ledger; or the lease is lost, nothing is reported, and the fill waits until
   * nothing is under way. */
  FILL_REPORTING,
};

/* The fill's hold on its lease. LOST is final. */
enum fill_hold {
  FILL_HOLD_LEASED,
  FILL_HOLD_RETURNING, /* the fill stops as soon as it can and gives the lease back */
  FILL_HOLD_LOST,      /* another worker has or may have the lease: no report, no publishing */
};

/* Why a callback stopped the transfer. */
enum fill_verdict {
  FILL_VERDICT_NONE,
  FILL_VERDICT_NOT_FOUND,
  FILL_VERDICT_OTHER_FORMAT,
  FILL_VERDICT_NOT_AUDIO,
  FILL_VERDICT_CHANGED, /* a resumed request brought bytes that differ from those of the part */
  FILL_VERDICT_ERROR,   /* see verdict_error */
};

struct fill {
  const struct fill_context *context;
  struct recording row;             /* as leased; lease_token and wanted_at are kept current */
  struct access_snapshot *snapshot; /* of the last request; NULL before the first */
  int64_t credentials_version;      /* the least version to send requests with */
  struct provider_account account;  /* views into snapshot */
  unsigned refused_credentials;     /* how many of the account's credentials the provider refused in this fill */
  enum fill_state state;
  enum fill_hold hold;

  /* asking */
  struct provider_request request;
  struct fetch_transfer *transfer; /* NULL: none runs */
  size_t format;                   /* index into the context's formats */
  bool channels_refused;           /* the provider refused RequestedChannels=2 */
  bool saw_404, saw_not_audio;     /* among the answers for the formats tried so far */
  bool answered;                   /* an answer was audio, and the ledger knows that the recording downloads */
  enum fill_verdict verdict;
  enum recording_error verdict_error; /* with FILL_VERDICT_ERROR */
  int64_t retry_after_ms;             /* from the last answer; 0: none */

  /* streaming */
  struct blob_part *part;
  int64_t size;               /* bytes written to the part, as the worker's thread knows it */
  struct buf incoming;        /* bytes that wait to be written (fill_write.c) */
  bool is_writing;            /* one write is under way … */
  int64_t writing_bytes;      /* … of this many bytes */
  bool transfer_paused;       /* until the write is done */
  bool transfer_ended;        /* with `result`, which fill_transfer_ended has not handled yet */
  struct fetch_result result; /* how the transfer ended */
  struct audio *audio;
  struct digest *digest;
  int64_t announced_bytes; /* by the provider; -1 unknown */
  int64_t compared;        /* resumed from byte 0: bytes found equal to the part's so far; -1: not so */
  char source_etag[256], source_modified[64]; /* the provider's validators, for If-Range */
  bool asked_range;                           /* the request in hand asked for what follows the part */
  unsigned asks_again;                        /* requests that followed a failure that passes */
  int64_t asked_ms;                           /* mono, when the last request was sent */
  unsigned resumes;     /* requests that followed a break, of this format; fill_start_over is not counted here */
  int64_t resume_at_ms; /* mono; of PAUSED */
  int64_t started_ms;   /* mono, for "seconds" */

  /* listeners (fill_tape.c) */
  bool has_validators; /* the bytes are audio, and etag and modified_at stand for them: listeners may read */
  bool
      was_served; /* had validators since the part began: its bytes must not change, even after the validators are void */
  bool inherits_validators; /* no byte differed from the previous part's yet: the row's validators are taken over */
  char etag[RECORDING_ETAG_SIZE];
  int64_t modified_at;
  struct tape *tape;      /* NULL: no listener of this process can read */
  int previous_fd;        /* the part that a dead worker left; -1: none, or its comparison is over */
  int64_t previous_bytes; /* its length */

  /* publishing */
  struct audio_info info;
  char name[RECORDING_NAME_SIZE];
  char sha256[2 * SHA256_SIZE + 1];
  enum err disk_error; /* of the last disk step */
  bool found_file;     /* a finished file was in the store already */

  /* the lease, as the holder sees it */
  int64_t lease_mono_ms; /* the lease is surely ours until then */
  int64_t renewed_ms;    /* mono, when the last renewal was sent … */
  int64_t renewed_bytes; /* … and with what progress */
  bool renewal_pending;
  unsigned steps_pending; /* reports and disk steps under way; the fill is not freed before they are back */

  struct recording_event final_event; /* the content of the final report */
  int64_t report_retry_at_ms;         /* mono; 0: no report waits to be repeated */
  char log_why[160];                  /* of "Recording failed"; empty: the message of the error code says it */
  bool slow_logged;
};

/* fill.c: the states */
void fill_ask(struct fill *f);                                 /* to ASKING, with the format in hand */
void fill_fail(struct fill *f, enum recording_error error);    /* to REPORTING a failure */
void fill_end(struct fill *f, enum recording_event_kind kind); /* to REPORTING */
void fill_release_if_idle(struct fill *f); /* frees it if nothing is under way: the caller's last use */
void fill_lease_lost(struct fill *f);      /* may free it: the caller's last use */
void fill_verify(struct fill *f);          /* all bytes are written: to SYNCING, or fails */
void fill_pause(struct fill *f, enum recording_error error); /* the transfer broke: to PAUSED, or fails */
void fill_transfer_ended(struct fill *f, const struct fetch_result *r);
void fill_note_slow(struct fill *f, int64_t mono_ms); /* logs it once if the fill is slow */

/* fill_write.c: from the transfer to the part */
/* Queues bytes to be written to the part. On an error the caller stops the transfer. */
CHECKED enum err fill_write_take(struct fill *f, struct str bytes);
/* The offset in the recording of the next byte that fill_write_take gets. */
int64_t fill_write_position(const struct fill *f);
/* The transfer is over: calls fill_transfer_ended as soon as all its bytes are written. result NULL: it was over
 * already. */
void fill_write_end(struct fill *f, const struct fetch_result *result);
void fill_close_part(struct fill *f, bool keeps_file); /* keeps_file: for the next holder; else the file is removed */
void fill_close_previous_part(struct fill *f);

/* fill_stream.c: fetch's callbacks */
/* A write is done; e is of appending these bytes. Sets f->verdict if they are wrong. */
void fill_bytes_written(struct fill *f, struct str bytes, enum err e);
CHECKED enum err fill_send_request(struct fill *f);
/* Before the recording is asked for from byte 0: forgets what audio, digest and the provider's validators hold. */
CHECKED enum err fill_reset_verifiers(struct fill *f);
CHECKED enum err fill_make_validators(struct fill *f);
/* How many leading bytes of `bytes` equal those of fd from offset on. Bytes that can't be read count as different. */
int64_t fill_equal_prefix(int fd, int64_t offset, struct str bytes);

/* fill_tape.c: listeners, and the comparison with the part that a dead worker left */
CHECKED enum err fill_set_validators(struct fill *f); /* the bytes are audio */
void fill_open_tape(struct fill *f);                  /* the ledger has the validators: listeners may read */
void fill_extend_tape(struct fill *f);                /* size has grown */
void fill_finish_tape(struct fill *f);                /* the bytes are whole */
void fill_hand_listeners_over(struct fill *f);        /* they follow the next holder of the lease */
void fill_close_listeners(struct fill *f);            /* at the fill's end */
void fill_void_validators(
    struct fill *f); /* the bytes are not those that listeners had: cuts listeners, makes new ones later */
void fill_open_previous_part(struct fill *f); /* on the disk pool, before older parts are swept */
void fill_compare_announced(struct fill *f, int64_t announced_bytes); /* -1 unknown */
void fill_end_comparison(struct fill *f);                             /* no byte follows */
bool fill_comparison_is_over(const struct fill *f);                   /* or there was nothing to compare with */

/* fill_report.c: reports to the ledger */
void fill_renew(struct fill *f, enum recording_event_kind kind); /* RENEW or ANSWERED */
void fill_report_final(struct fill *f);                          /* f->final_event */
void fill_report_new_token(struct fill *f); /* asks for the next token, then fill_check_store; or fill_lease_lost */
void fill_assert_lease(struct fill *f);     /* then fill_publish; or fill_lease_lost */

/* fill_disk.c: steps on the disk pool */
void fill_check_store(struct fill *f);
void fill_empty_part(struct fill *f); /* then fill_ask */
void fill_sync(struct fill *f);
void fill_publish(struct fill *f);
