/* audio_mp3.c - counts the frames of an MPEG audio layer III stream as its bytes arrive.
 *
 *   AT_HEADER --frame header--> IN_FRAME --its last byte--> AT_HEADER
 *   AT_HEADER --ID3v1, ID3v2, APE--> IN_TAG --its last byte, or MP3_RUN_FRAMES frames in it--> AT_HEADER
 *   AT_HEADER --LYRICSBEGIN--> IN_TAG, which ends where frames are found
 *   AT_HEADER --header of another rate or number of channels--> IN_FRAME (doubtful)
 *   AT_HEADER --anything else--> LOST --a frame header--> IN_FRAME (doubtful)
 *                                LOST --the footer of an APE tag without a header--> IN_TAG
 *
 * Nothing is decoded here: a frame has a fixed number of samples, so counting headers is as exact as decoding, costs a
 * thousandth, and exposes no decoder to a hostile file.
 *
 * Invariants
 *  (1) Only complete frames are counted; a doubtful one only once a header of its own stream follows it, or a tag or padding
 *      if it is of the stream that was being read.
 *  (2) The duration is the sum of the frames' own durations: sample rate and channels may change within the file.
 *  (3) Every byte is examined once, except fewer than MP3_SIGNATURE_BYTES at a boundary.
 *  (4) Bytes of tags and junk are neither kept nor passed on, however many there are. Only what looks like frames within a tag is
 *      kept, up to MP3_RUN_FRAMES: more adjacent frames than that are sound, whatever the tag claims. */
#include "audio/audio_mp3.h"

#include <string.h>

enum { ID3V1_BYTES = 128, ID3V2_HEADER_BYTES = 10, APE_HEADER_BYTES = 32, APE_IS_HEADER = 0x20 };

/* kbit/s of layer III by index; 0: free format, whose frames do not state their length, or invalid. */
static const int BIT_RATES_V1[16] = {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0};
static const int BIT_RATES_V2[16] = {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0};
static const int SAMPLE_RATES_V1[4] = {44100, 48000, 32000, 0};

bool mp3_frame_parse(const char *p, struct mp3_frame *ret_frame) {
  const unsigned char *h = (const unsigned char *)p;
  if (h[0] != 0xff || (h[1] & 0xe0) != 0xe0) return false;
  int version = h[1] >> 3 & 3; /* 0: 2.5, 2: 2, 3: 1 */
  int layer = h[1] >> 1 & 3;   /* 1: III; 0, as in ADTS, is none */
  if (version == 1 || layer != 1 || (h[3] & 3) == 2) return false;
  int rate = SAMPLE_RATES_V1[h[2] >> 2 & 3] / (version == 3 ? 1 : version == 2 ? 2 : 4);
  int kbit = (version == 3 ? BIT_RATES_V1 : BIT_RATES_V2)[h[2] >> 4];
  if (rate == 0 || kbit == 0) return false;
  int samples = version == 3 ? 1152 : 576;
  *ret_frame = (struct mp3_frame){
      .version = version == 3   ? 1
                 : version == 2 ? 2
                                : 25,
      .sample_rate = rate,
      .channels = h[3] >> 6 == 3 ? 1 : 2,
      .samples = samples,
      .bytes = (size_t)(samples / 8 * kbit * 1000 / rate + (h[2] >> 1 & 1)),
  };
  return true;
}

bool mp3_frame_same_stream(const struct mp3_frame *a, const struct mp3_frame *b) {
  return a->version == b->version && a->sample_rate == b->sample_rate && a->channels == b->channels;
}

static uint32_t be32(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

/* Reads the encoder's delay and padding from the LAME tag, which follows the index. at: the offset of "Xing" or "Info". */
static void read_trim(struct mp3 *m, struct str frame, size_t at) {
  if (frame.n < at + 8) return;
  uint32_t flags = be32((const unsigned char *)frame.p + at + 4);
  size_t name = at + 8 + (flags & 1 ? 4 : 0) + (flags & 2 ? 4 : 0) + (flags & 4 ? 100 : 0) + (flags & 8 ? 4 : 0);
  struct str rest = str_skip(frame, name);
  if (rest.n < 24) return;
  if (!str_starts(rest, STR("LAME")) && !str_starts(rest, STR("Lavc")) && !str_starts(rest, STR("Lavf"))) return;
  const unsigned char *p = (const unsigned char *)rest.p + 21;
  m->delay = p[0] << 4 | p[1] >> 4;
  m->padding = (p[1] & 15) << 8 | p[2];
}

void mp3_init(struct mp3 *m, struct str head, mp3_on_frames *on_frames, void *arg) {
  *m = (struct mp3){.state = MP3_AT_HEADER, .on_frames = on_frames, .on_frames_arg = arg};
  if (head.n < MP3_HEADER_BYTES || !mp3_frame_parse(head.p, &m->first)) {
    m->state = MP3_IN_TAIL; /* the caller passed no frame: nothing is counted */
    return;
  }
  m->stream = m->first;
  struct str frame = str_head(head, m->stream.bytes);
  bool two = m->stream.channels == 2;
  size_t side = m->stream.version == 1 ? (two ? 32 : 17) : (two ? 17 : 9);
  struct str index = str_skip(frame, MP3_HEADER_BYTES + side);
  if (str_starts(index, STR("Xing")) || str_starts(index, STR("Info"))) {
    m->is_index = true;
    read_trim(m, frame, MP3_HEADER_BYTES + side);
  } else if (str_starts(str_skip(frame, MP3_HEADER_BYTES + 32), STR("VBRI"))) {
    m->is_index = true;
  }
}

static void pass_on(struct mp3 *m, struct str bytes) {
  if (m->on_frames && bytes.n > 0) m->on_frames(m->on_frames_arg, bytes);
}

/* m->head holds the frame's header and possibly bytes after it, less than the frame. */
static void begin_frame(struct mp3 *m, const struct mp3_frame *frame, bool doubtful) {
  m->state = MP3_IN_FRAME;
  m->doubtful = doubtful;
  m->current = *frame;
  m->left = frame->bytes - m->head_bytes;
  pass_on(m, str_of(m->head, m->head_bytes));
  m->head_bytes = 0;
}

static int64_t ticks_of(const struct mp3_frame *stream, int64_t samples) {
  return samples * 1000 * MP3_TICKS_A_MS / stream->sample_rate;
}

static void end_frame(struct mp3 *m) {
  m->state = MP3_AT_HEADER;
  int64_t ticks = ticks_of(&m->current, m->current.samples);
  if (m->doubtful) {
    m->pending_ticks = ticks;
  } else if (!m->is_index) {
    m->ticks += ticks;
  }
  m->is_index = false;
}

/* A tag or padding follows a doubtful frame, which counts unless it is the only one of its stream. */
static void confirm_pending(struct mp3 *m) {
  if (mp3_frame_same_stream(&m->current, &m->stream)) m->ticks += m->pending_ticks;
  m->pending_ticks = 0;
}

/* A frame's header is at a boundary: the end of a doubtful frame of the same stream is one. */
static void begin_frame_at_boundary(struct mp3 *m, const struct mp3_frame *frame) {
  if (m->pending_ticks > 0 && mp3_frame_same_stream(&m->current, frame)) {
    m->ticks += m->pending_ticks;
    m->stream = *frame;
  }
  m->pending_ticks = 0;
  begin_frame(m, frame, !mp3_frame_same_stream(&m->stream, frame));
}

/* ---- frames within a tag ---- */

void mp3_run_init(struct mp3_run *r) {
  r->frames = 0;
  r->left = r->header_bytes = r->kept_bytes = 0;
}

/* A header is complete. If it is none of the run's stream, the run is over, and the search continues behind its first byte. */
static void run_judge_header(struct mp3_run *r) {
  struct mp3_frame frame;
  char *header = r->kept + r->kept_bytes - MP3_HEADER_BYTES;
  if (mp3_frame_parse(header, &frame) && (r->frames == 0 || mp3_frame_same_stream(&frame, &r->frame))) {
    r->frame = frame;
    r->left = frame.bytes - MP3_HEADER_BYTES;
    r->header_bytes = 0;
    return;
  }
  size_t from = 1;
  while (from < MP3_HEADER_BYTES && (unsigned char)header[from] != 0xff) from++;
  memmove(r->kept, header + from, MP3_HEADER_BYTES - from);
  r->frames = 0;
  r->header_bytes = r->kept_bytes = MP3_HEADER_BYTES - from;
}

size_t mp3_run_feed(struct mp3_run *r, struct str bytes) {
  size_t fed = 0;
  while (fed < bytes.n && r->frames < MP3_RUN_FRAMES) {
    struct str rest = str_skip(bytes, fed);
    if (r->kept_bytes == 0 && (unsigned char)rest.p[0] != 0xff) {
      const char *sync = memchr(rest.p, 0xff, rest.n);
      fed = sync ? (size_t)(sync - bytes.p) : bytes.n;
      continue;
    }
    size_t n = r->left == 0 ? 1 : r->left < rest.n ? r->left : rest.n;
    memcpy(r->kept + r->kept_bytes, rest.p, n);
    r->kept_bytes += n;
    fed += n;
    if (r->left > 0) {
      r->left -= n;
      if (r->left == 0) r->frames++;
    } else if (++r->header_bytes == MP3_HEADER_BYTES) {
      run_judge_header(r);
    }
  }
  return fed;
}

/* ---- boundaries ---- */

static void begin_tag(struct mp3 *m, size_t bytes) {
  confirm_pending(m);
  mp3_run_init(&m->run);
  m->state = bytes > m->head_bytes ? MP3_IN_TAG : MP3_AT_HEADER;
  m->left = bytes - m->head_bytes;
  m->head_bytes = 0;
}

static bool can_become(struct str head, struct str signature) {
  return str_starts(signature, head) || str_starts(head, signature);
}

/* The length of an APE tag behind the first byte of its header or, if it was not found at a boundary, of its footer. */
static size_t ape_bytes(const struct mp3 *m) {
  const unsigned char *p = (const unsigned char *)m->head;
  bool is_footer = m->state == MP3_LOST && !(p[23] & APE_IS_HEADER);
  size_t bytes = (size_t)p[15] << 24 | (size_t)p[14] << 16 | (size_t)p[13] << 8 | p[12];
  return APE_HEADER_BYTES + (is_footer ? 0 : bytes);
}

/* Searches m->head for a frame's header, or the footer of an APE tag, of which junk was the content. */
static void search_header(struct mp3 *m) {
  m->pending_ticks = 0;
  while (m->head_bytes > 0) {
    struct mp3_frame frame;
    bool may_be = (unsigned char)m->head[0] == 0xff;
    if (can_become(str_of(m->head, m->head_bytes), STR("APETAGEX"))) {
      if (m->head_bytes == MP3_SIGNATURE_BYTES) begin_tag(m, ape_bytes(m));
      return;
    }
    if (may_be && m->head_bytes < MP3_HEADER_BYTES) return;
    if (may_be && mp3_frame_parse(m->head, &frame)) {
      begin_frame(m, &frame, true);
      return;
    }
    memmove(m->head, m->head + 1, --m->head_bytes);
  }
}

/* Decides from m->head, the first bytes at a boundary, what begins there; or leaves the state, to see one more byte. */
static void decide_what_begins(struct mp3 *m) {
  struct str head = str_of(m->head, m->head_bytes);
  const unsigned char *p = (const unsigned char *)m->head;
  struct mp3_frame frame;
  if (p[0] == 0) { /* padding */
    confirm_pending(m);
    m->head_bytes = 0;
    return;
  }
  if (p[0] == 0xff) {
    if (head.n < MP3_HEADER_BYTES) return;
    if (mp3_frame_parse(m->head, &frame)) {
      begin_frame_at_boundary(m, &frame);
      return;
    }
  } else if (can_become(head, STR("TAG"))) {
    if (head.n == 3) begin_tag(m, ID3V1_BYTES);
    return;
  } else if (can_become(head, STR("LYRICSBEGIN"))) {
    if (head.n < 11) return;
    begin_tag(m, SIZE_MAX); /* it says its length at its end only */
    return;
  } else if (can_become(head, STR("ID3"))) {
    if (head.n < ID3V2_HEADER_BYTES) return;
    size_t bytes = (size_t)(p[6] & 127) << 21 | (size_t)(p[7] & 127) << 14 | (size_t)(p[8] & 127) << 7 | (p[9] & 127);
    if (p[3] != 0xff && p[4] != 0xff && ((p[6] | p[7] | p[8] | p[9]) & 128) == 0) { /* of any length */
      begin_tag(m, ID3V2_HEADER_BYTES + bytes + (p[5] & 16 ? ID3V2_HEADER_BYTES : 0));
      return;
    }
  } else if (can_become(head, STR("APETAGEX"))) {
    if (head.n < MP3_SIGNATURE_BYTES) return;
    begin_tag(m, ape_bytes(m)); /* of any length */
    return;
  }
  m->state = MP3_LOST;
  search_header(m);
}

static void add_byte(struct mp3 *m, char byte) {
  m->head[m->head_bytes++] = byte;
  if (m->state == MP3_AT_HEADER) {
    decide_what_begins(m);
  } else {
    search_header(m);
  }
}

static void end_false_tag(struct mp3 *m);

void mp3_feed(struct mp3 *m, struct str bytes) {
  while (bytes.n > 0 && m->state != MP3_IN_TAIL) {
    if (m->state == MP3_AT_HEADER || m->state == MP3_LOST) {
      add_byte(m, bytes.p[0]);
      bytes = str_skip(bytes, 1);
      continue;
    }
    size_t n = bytes.n < m->left ? bytes.n : m->left;
    if (m->state == MP3_IN_TAG) n = mp3_run_feed(&m->run, str_head(bytes, n));
    m->left -= n;
    if (m->state == MP3_IN_FRAME) pass_on(m, str_head(bytes, n));
    bytes = str_skip(bytes, n);
    if (m->state == MP3_IN_TAG && m->run.frames == MP3_RUN_FRAMES) {
      end_false_tag(m); /* (4) */
    } else if (m->left > 0) {
      return;
    } else if (m->state == MP3_IN_FRAME) {
      end_frame(m);
    } else {
      m->state = MP3_AT_HEADER;
    }
  }
}

/* The frames in the current tag count: it ended before them. */
static void end_false_tag(struct mp3 *m) {
  m->state = MP3_AT_HEADER;
  m->left = 0;
  mp3_feed(m, str_of(m->run.kept, m->run.kept_bytes));
}

void mp3_finish(struct mp3 *m) {
  if (m->state == MP3_IN_TAG && m->run.frames >= MP3_RUN_LEAST) end_false_tag(m);
}

/* In ticks, without the encoder's delay and padding. */
static int64_t trimmed_ticks(const struct mp3 *m) {
  bool counts = mp3_frame_same_stream(&m->current, &m->stream);
  int64_t trim = m->delay + (mp3_is_whole(m) ? m->padding : 0);
  int64_t ticks = m->ticks + (counts ? m->pending_ticks : 0) - (trim > 0 ? ticks_of(&m->first, trim) : 0);
  return ticks > 0 ? ticks : 0;
}

int64_t mp3_duration_ms(const struct mp3 *m) {
  return trimmed_ticks(m) / MP3_TICKS_A_MS;
}

bool mp3_has_sound(const struct mp3 *m) {
  return trimmed_ticks(m) > 0;
}

bool mp3_is_whole(const struct mp3 *m) {
  if (m->state == MP3_IN_TAG || m->state == MP3_IN_TAIL) return true;
  if (m->state != MP3_AT_HEADER) return false;
  return m->head_bytes == 0 || (unsigned char)m->head[0] != 0xff; /* another first byte begins a tag */
}
