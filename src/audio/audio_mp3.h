/* audio_mp3.h - counts the frames of an MPEG audio layer III stream as its bytes arrive.
 *
 *   mp3_init(&m, head, on_frames, arg);   head: the first bytes, from the first frame on; they must be fed, too
 *   mp3_feed(&m, bytes) …;  mp3_finish(&m);  mp3_duration_ms(&m);  mp3_is_whole(&m);
 *
 * on_frames gets the bytes of all frames in order, and none of tags or junk. Thread rule: one owner. */
#pragma once

#include <stdint.h>

#include "base/str.h"

enum {
  MP3_HEADER_BYTES = 4,
  MP3_SIGNATURE_BYTES = 24,
  MP3_FRAME_BYTES_MAX = 1441,
  MP3_RUN_FRAMES = 16, /* so many adjacent frames are sound, also where a tag claims to be */
  MP3_RUN_LEAST = 3,   /* so many, if the file ends before the tag does */
};
/* A tick is the longest time of which a sample of each sample rate is a whole number. */
enum { MP3_TICKS_A_MS = 14112 };

struct mp3_frame {
  int version; /* 1, 2; 25 for 2.5 */
  int sample_rate;
  int channels;
  int samples;  /* per channel */
  size_t bytes; /* including the header */
};

/* Parses the MP3_HEADER_BYTES at p. False unless it is the header of a layer III frame with a bit rate. */
bool mp3_frame_parse(const char *p, struct mp3_frame *ret_frame);
/* True if version, sample rate and number of channels are equal; bit rate and padding may differ within a stream. */
bool mp3_frame_same_stream(const struct mp3_frame *a, const struct mp3_frame *b);

/* Looks for frames within a tag that may claim more bytes than it has. */
struct mp3_run {
  struct mp3_frame frame; /* the last one */
  unsigned frames;        /* complete and adjacent, at most MP3_RUN_FRAMES */
  size_t left;            /* bytes left of the frame that is being read */
  size_t header_bytes;    /* here of the next frame's header */
  size_t kept_bytes;
  char kept[MP3_RUN_FRAMES * MP3_FRAME_BYTES_MAX]; /* the frames, and what is here of the next one */
};

void mp3_run_init(struct mp3_run *r);
/* Takes bytes of a tag up to the end of the MP3_RUN_FRAMESth frame, and returns how many. */
size_t mp3_run_feed(struct mp3_run *r, struct str bytes);

enum mp3_state { MP3_AT_HEADER, MP3_IN_FRAME, MP3_IN_TAG, MP3_LOST, MP3_IN_TAIL };

typedef void mp3_on_frames(void *arg, struct str bytes);

struct mp3 {
  mp3_on_frames *on_frames; /* may be NULL */
  void *on_frames_arg;
  enum mp3_state state;
  struct mp3_frame first, stream; /* the first frame, and one of the stream that is being read now */
  struct mp3_frame current;       /* the frame that is being read */
  int64_t ticks;                  /* duration of the complete frames with sound; MP3_TICKS_A_MS */
  int delay, padding;             /* samples that the encoder added at the start and at the end */
  bool is_index;                  /* the current frame is a Xing, Info or VBRI header: no sound */
  bool doubtful;                  /* the current frame was found after junk, or begins another stream: see (1) */
  int64_t pending_ticks;          /* of a doubtful frame that is complete and not counted yet */
  size_t left;                    /* bytes left of the current frame or tag */
  char head[MP3_SIGNATURE_BYTES]; /* bytes at a boundary that do not suffice yet */
  size_t head_bytes;
  struct mp3_run run; /* in the current tag */
};

void mp3_init(struct mp3 *m, struct str head, mp3_on_frames *on_frames, void *arg);
void mp3_feed(struct mp3 *m, struct str bytes);
/* No bytes follow. If the last tag claims more bytes than there are, the frames in it count. */
void mp3_finish(struct mp3 *m);
int64_t mp3_duration_ms(const struct mp3 *m); /* without the encoder's delay and padding */
bool mp3_has_sound(const struct mp3 *m);
/* True if the last frame is complete and only tags or zeros follow it. */
bool mp3_is_whole(const struct mp3 *m);
