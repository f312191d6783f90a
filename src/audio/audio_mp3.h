/* audio_mp3.h - the frames of an MPEG audio layer III stream, counted as they pass. One owner.
 *
 *   mp3_init(&m, head, hear, arg);   the bytes from the first frame on, at least two frames' headers of them, not consumed
 *   mp3_feed(&m, bytes) …;  mp3_samples(&m);  mp3_is_whole(&m);
 *
 * hear gets the bytes of every frame in their order, a stretch at a time, and none of a tag or of junk. */
#pragma once

#include <stdint.h>

#include "base/str.h"

enum { MP3_HEADER_BYTES = 4, MP3_SIGNATURE_BYTES = 16 };

struct mp3_frame {
  int version; /* 1, 2; 25 for 2.5 */
  int sample_rate;
  int channels;
  int samples;  /* per channel */
  size_t bytes; /* with its header */
};

/* p: MP3_HEADER_BYTES. False for anything that is no layer III frame of a stated bit rate. */
bool mp3_frame_parse(const char *p, struct mp3_frame *ret_frame);
/* Version, rate and mono or not are the stream's; bit rate and padding may change from frame to frame. */
bool mp3_frame_same_stream(const struct mp3_frame *a, const struct mp3_frame *b);

enum mp3_state { MP3_AT_HEADER, MP3_IN_FRAME, MP3_IN_TAG, MP3_LOST, MP3_IN_TAIL };

typedef void mp3_hear(void *arg, struct str bytes);

struct mp3 {
  mp3_hear *hear; /* NULL: nobody listens */
  void *hear_arg;
  enum mp3_state state;
  struct mp3_frame stream;        /* the first frame */
  int64_t frames;                 /* complete ones that hold sound */
  int delay, padding;             /* samples that the encoder says it added in front and behind */
  bool is_index;                  /* the frame that passes is a Xing, Info or VBRI header: no sound */
  bool doubtful;                  /* the frame that passes was found after junk: it counts if another follows on it */
  int64_t pending;                /* 1: a doubtful frame has passed */
  size_t left;                    /* bytes of the frame or tag to come */
  char head[MP3_SIGNATURE_BYTES]; /* what can't be judged yet */
  size_t head_bytes;
};

void mp3_init(struct mp3 *m, struct str head, mp3_hear *hear, void *arg);
void mp3_feed(struct mp3 *m, struct str bytes);
int64_t mp3_samples(const struct mp3 *m); /* per channel, as a player would play them */
/* The last frame is complete, and nothing but tags or zeros follows it. */
bool mp3_is_whole(const struct mp3 *m);
