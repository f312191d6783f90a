/* audio.c - passes the bytes of a stream through sniffing, counting and decoding.
 *
 *   SNIFFING --an ID3v2, ID3v1 or APE tag--> (skipped) --> SNIFFING --audio_sniff says yes--> PASSING
 *                                            (skipped) --many frames in the tag--> PASSING
 *   SNIFFING --audio_sniff says no, or the end, and sound of another kind began in a tag--> PASSING
 *
 * Invariants
 *  (1) The verdict depends on the bytes, not on how they were split into feeds.
 *  (2) AUDIO_YES and AUDIO_NO are final, except that audio_finish turns a yes into a no if there are too few bytes or no
 *      samples. Headers alone are undecided, and in the end no.
 *  (3) Memory is the struct and the decoder of an MP3: at most AUDIO_SNIFF_BYTES are kept, whatever sizes a file claims. The
 *      decoder gets frames only, because it would keep a whole tag in memory.
 *  (4) The decoder does not affect the verdict or the duration: if it fails or can't be created, there are only no peaks.
 *  (5) What began in a tag counts only if no sound follows the tag, for a true tag may hold sound. Until then its parser is fed
 *      beside the search. AAC or Ogg behind the tag is what began in it, and goes on.
 *  (6) Behind a tag nothing is decided before AUDIO_TAG_HEADER_BYTES bytes, whose first begins in the tag, were searched: (1).
 *
 * Every byte of sound goes through audio_pass(): code that needs samples (peaks, `take`) is called from there. */
#include "audio/audio.h"

#include <stdlib.h>
#include <string.h>

#include "audio/audio_container.h"
#include "audio/audio_decode.h"
#include "audio/audio_hidden.h"
#include "audio/audio_mp3.h"
#include "audio/audio_sniff.h"
#include "audio/audio_wav.h"

enum { FRAMES_AT_ONCE = 16 * 1024 };

struct audio {
  enum audio_verdict verdict;
  enum audio_kind kind; /* AUDIO_NONE while sniffing */
  int64_t bytes;
  uint64_t tag_left; /* bytes of a tag before the sound to skip */
  char head[AUDIO_SNIFF_BYTES];
  size_t head_bytes;
  size_t searched_bytes; /* of the head, that begin no frame */
  bool had_tag;
  struct hidden hidden; /* what begins in a tag (5) */
  struct mp3 mp3;
  struct wav wav;
  struct container container; /* of another kind */
  /* decoding, for peaks */
  bool decodes;            /* false once decoding has failed (4) */
  struct decoder *decoder; /* of an MP3 */
  char frames[FRAMES_AT_ONCE];
  size_t frames_bytes; /* not decoded yet */
  struct pcm pcm;      /* of a WAV */
  struct peaks peaks;
  audio_take_samples *take; /* NULL: none */
  void *take_arg;
};

enum err audio_new(struct audio **ret_audio) {
  struct audio *a = calloc(1, sizeof(*a));
  if (!a) return ERR_NOMEM;
  *ret_audio = a;
  return OK;
}

struct audio *audio_free(struct audio *a) {
  if (a) decoder_free(a->decoder);
  free(a);
  return NULL;
}

void audio_set_take(struct audio *a, audio_take_samples *take, void *arg) {
  a->take = take;
  a->take_arg = arg;
}

/* ---- samples ---- */

static void on_samples(void *arg, const int16_t *samples, size_t frames) {
  struct audio *a = arg;
  peaks_add(&a->peaks, samples, frames);
  if (a->take && a->kind != AUDIO_NONE) a->take(a->take_arg, a->peaks.sample_rate, a->peaks.channels, samples, frames);
}

static void begin_decoding_mp3(struct audio *a) {
  const struct mp3_frame *stream = &a->mp3.stream;
  a->decodes = decoder_new(stream->sample_rate, stream->channels, &a->decoder) == OK;
  if (a->decodes) peaks_init(&a->peaks, stream->channels, stream->sample_rate);
}

static void decode_frames(struct audio *a) {
  if (!a->decodes || a->frames_bytes == 0) return;
  a->decodes = decoder_feed(a->decoder, str_of(a->frames, a->frames_bytes), on_samples, a) == OK;
  a->frames_bytes = 0;
  if (!a->decodes) a->decoder = decoder_free(a->decoder);
}

static void decode_mp3(void *arg, struct str bytes) {
  struct audio *a = arg;
  while (a->decodes && bytes.n > 0) {
    size_t room = sizeof(a->frames) - a->frames_bytes, n = room < bytes.n ? room : bytes.n;
    memcpy(a->frames + a->frames_bytes, bytes.p, n);
    a->frames_bytes += n;
    bytes = str_skip(bytes, n);
    if (a->frames_bytes == sizeof(a->frames)) decode_frames(a);
  }
}

static void decode_wav(void *arg, struct str bytes) {
  struct audio *a = arg;
  const struct wav *w = &a->wav;
  if (w->data_bytes == bytes.n) { /* the first bytes of samples */
    a->decodes =
        w->channels <= PEAKS_CHANNELS_MAX && pcm_init(&a->pcm, w->samples, w->bits, w->channels, w->is_big_endian);
    peaks_init(&a->peaks, w->channels, w->sample_rate);
  }
  if (a->decodes) pcm_feed(&a->pcm, bytes, on_samples, a);
}

/* ---- bytes ---- */

static void parse_bytes(struct audio *a, enum audio_kind kind, struct str bytes) {
  if (kind == AUDIO_MP3)
    mp3_feed(&a->mp3, bytes);
  else if (kind == AUDIO_WAV)
    wav_feed(&a->wav, bytes, decode_wav, a);
  else
    container_feed(&a->container, bytes);
}

/* Sets the verdict from what the kind's parser has got. */
static void audio_judge(struct audio *a) {
  bool has_sound = true, is_bad = false;
  if (a->kind == AUDIO_WAV) {
    has_sound = wav_has_samples(&a->wav);
    is_bad = wav_is_bad(&a->wav);
  } else if (a->kind != AUDIO_MP3) {
    has_sound = container_has_sound(&a->container);
    is_bad = container_is_bad(&a->container);
  }
  if (has_sound) {
    a->verdict = AUDIO_YES;
  } else if (is_bad && a->verdict == AUDIO_UNDECIDED) {
    a->verdict = AUDIO_NO;
  }
}

static void audio_pass(struct audio *a, struct str bytes) {
  parse_bytes(a, a->kind, bytes);
  audio_judge(a);
}

/* sound: the first bytes of that kind. */
static void begin_kind(struct audio *a, enum audio_kind kind, struct str sound) {
  a->kind = kind;
  a->decodes = false; /* of what began in a tag */
  if (kind == AUDIO_MP3) {
    mp3_init(&a->mp3, sound, decode_mp3, a);
    begin_decoding_mp3(a);
  } else if (kind == AUDIO_WAV) {
    wav_init(&a->wav);
  } else {
    container_init(&a->container, kind);
  }
  audio_pass(a, sound);
}

/* ---- what begins in a tag ---- */

static void hidden_begin(struct audio *a) {
  if (a->hidden.kind == AUDIO_WAV) {
    wav_init(&a->wav);
  } else {
    container_init(&a->container, a->hidden.kind);
    if (a->hidden.kind == AUDIO_AAC) container_add_blocks(&a->container, a->hidden.blocks);
  }
  parse_bytes(a, a->hidden.kind, hidden_head(&a->hidden));
}

/* bytes: of a tag, the first AUDIO_TAG_HEADER_BYTES behind it, or, while the kind is undecided, those that follow. */
static void hidden_feed(struct audio *a, struct str bytes) {
  bool may_begin = a->tag_left > 0 || a->head_bytes <= AUDIO_TAG_HEADER_BYTES;
  if (a->hidden.kind == AUDIO_NONE && may_begin && bytes.n > 0) {
    bytes = str_skip(bytes, hidden_search(&a->hidden, bytes));
    if (a->hidden.kind != AUDIO_NONE) hidden_begin(a);
  }
  if (a->hidden.kind != AUDIO_NONE && bytes.n > 0) parse_bytes(a, a->hidden.kind, bytes);
}

/* The file is of the kind that began in the tag. `take` has missed samples. */
static void hidden_adopt(struct audio *a) {
  a->kind = a->hidden.kind;
  a->take = NULL;
  audio_judge(a);
}

static bool hidden_has_sound(const struct audio *a) {
  if (a->hidden.kind == AUDIO_NONE) return false;
  return a->hidden.kind == AUDIO_WAV ? wav_has_samples(&a->wav) : container_has_sound(&a->container);
}

/* ---- sniffing ---- */

static void sniff_head(struct audio *a) {
  struct str head = str_of(a->head, a->head_bytes);
  struct audio_sniff found = audio_sniff(head, a->searched_bytes);
  a->searched_bytes = found.start;
  bool goes_on = found.kind == a->hidden.kind && (found.kind == AUDIO_AAC || found.kind == AUDIO_OGG);
  if (found.verdict == AUDIO_YES && !goes_on)
    begin_kind(a, found.kind, str_skip(head, found.start));
  else if (found.verdict != AUDIO_UNDECIDED && a->hidden.kind != AUDIO_NONE)
    hidden_adopt(a); /* (5) */
  else
    a->verdict = found.verdict;
}

/* The frames in the tag that is being skipped are sound: it claims more bytes than it has. */
static void begin_sound_in_tag(struct audio *a) {
  a->tag_left = 0;
  a->head_bytes = a->mp3.run.kept_bytes;
  memcpy(a->head, a->mp3.run.kept, a->head_bytes);
  begin_kind(a, AUDIO_MP3, str_of(a->head, a->head_bytes));
}

/* The head begins with a tag of that length. */
static void skip_tag(struct audio *a, uint64_t tag_bytes) {
  size_t here = tag_bytes < a->head_bytes ? (size_t)tag_bytes : a->head_bytes;
  a->tag_left = tag_bytes - here;
  mp3_run_init(&a->mp3.run);
  size_t header = audio_tag_header_bytes(str_of(a->head, a->head_bytes));
  struct str inside = str_skip(str_of(a->head, here), header);
  (void)mp3_run_feed(&a->mp3.run, inside); /* takes all: they are less than a frame */
  if (!a->had_tag) {
    a->had_tag = true;
    hidden_init(&a->hidden);
    hidden_feed(a, str_skip(str_of(a->head, a->head_bytes), header));
  }
  a->head_bytes -= here;
  memmove(a->head, a->head + here, a->head_bytes);
  a->searched_bytes = 0;
}

/* Consumes some of the bytes while the kind is unknown, and returns how many. */
static size_t feed_undecided(struct audio *a, struct str bytes) {
  if (a->tag_left > 0) {
    size_t n = mp3_run_feed(&a->mp3.run, str_head(bytes, a->tag_left < SIZE_MAX ? (size_t)a->tag_left : SIZE_MAX));
    if (n > 0) hidden_feed(a, str_head(bytes, n));
    a->tag_left -= n;
    if (a->mp3.run.frames == MP3_RUN_FRAMES) begin_sound_in_tag(a);
    return n;
  }
  bool at_start = a->head_bytes < AUDIO_TAG_HEADER_BYTES;
  size_t room = (at_start ? AUDIO_TAG_HEADER_BYTES : AUDIO_SNIFF_BYTES) - a->head_bytes;
  size_t n = room < bytes.n ? room : bytes.n;
  memcpy(a->head + a->head_bytes, bytes.p, n);
  a->head_bytes += n;
  struct str head = str_of(a->head, a->head_bytes);
  if (a->had_tag) hidden_feed(a, str_head(bytes, n));
  if (at_start && (a->had_tag || audio_may_be_tag(head))) {
    if (a->head_bytes < AUDIO_TAG_HEADER_BYTES) return n; /* (1), (6) */
    uint64_t tag = audio_tag_bytes(head);
    if (tag > 0) {
      skip_tag(a, tag);
      return n;
    }
  }
  sniff_head(a);
  return n;
}

enum err audio_feed(struct audio *a, struct str bytes) {
  a->bytes += (int64_t)bytes.n;
  while (bytes.n > 0 && a->verdict != AUDIO_NO && a->kind == AUDIO_NONE) {
    bytes = str_skip(bytes, feed_undecided(a, bytes));
  }
  if (bytes.n > 0 && a->verdict != AUDIO_NO) audio_pass(a, bytes);
  return OK;
}

enum audio_verdict audio_verdict(const struct audio *a) {
  return a->verdict;
}

enum audio_kind audio_kind(const struct audio *a) {
  return a->verdict == AUDIO_YES ? a->kind : AUDIO_NONE;
}

static bool holds_samples(const struct audio *a) {
  if (a->kind == AUDIO_MP3) return mp3_has_sound(&a->mp3);
  return a->kind == AUDIO_WAV ? wav_has_samples(&a->wav) : container_has_sound(&a->container);
}

void audio_finish(struct audio *a, struct audio_info *ret_info) {
  struct audio_info info = {.kind = AUDIO_NONE, .duration_ms = -1, .bytes = a->bytes};
  if (a->kind == AUDIO_NONE && a->verdict == AUDIO_UNDECIDED && hidden_has_sound(a)) hidden_adopt(a);
  if (a->kind == AUDIO_NONE && a->tag_left > 0 && a->mp3.run.frames >= MP3_RUN_LEAST) begin_sound_in_tag(a);
  if (a->kind == AUDIO_MP3) mp3_finish(&a->mp3);
  if (a->verdict != AUDIO_YES || a->bytes < AUDIO_LEAST_BYTES || !holds_samples(a)) {
    a->verdict = AUDIO_NO; /* (2) */
    *ret_info = info;
    return;
  }
  info.kind = a->kind;
  info.whole = true; /* unless the kind's parser says otherwise */
  if (a->kind == AUDIO_MP3) {
    info.channels = a->mp3.first.channels;
    info.sample_rate = a->mp3.first.sample_rate;
    info.duration_ms = mp3_duration_ms(&a->mp3);
    info.whole = mp3_is_whole(&a->mp3);
  } else if (a->kind == AUDIO_WAV) {
    info.channels = a->wav.channels;
    info.sample_rate = a->wav.sample_rate;
    info.duration_ms = wav_duration_ms(&a->wav);
    info.whole = wav_is_whole(&a->wav);
  } else {
    info.channels = a->container.channels;
    info.duration_ms = container_duration_ms(&a->container);
    info.whole = container_is_whole(&a->container);
  }
  if (a->kind == AUDIO_MP3) decode_frames(a);
  if (a->decodes) info.peaks_bytes = peaks_write(&a->peaks, info.peaks);
  *ret_info = info;
}

static const struct {
  const char *extension, *content_type;
} KINDS[] = {
    [AUDIO_NONE] = {"bin", "application/octet-stream"},
    [AUDIO_MP3] = {"mp3", "audio/mpeg"},
    [AUDIO_WAV] = {"wav", "audio/wav"},
    [AUDIO_OGG] = {"ogg", "audio/ogg"},
    [AUDIO_FLAC] = {"flac", "audio/flac"},
    [AUDIO_M4A] = {"m4a", "audio/mp4"},
    [AUDIO_AMR] = {"amr", "audio/amr"},
    [AUDIO_AAC] = {"aac", "audio/aac"},
    [AUDIO_WEBM] = {"webm", "audio/webm"},
};

const char *audio_extension(enum audio_kind kind) {
  return KINDS[(size_t)kind < COUNT_OF(KINDS) ? kind : AUDIO_NONE].extension;
}

const char *audio_content_type(enum audio_kind kind) {
  return KINDS[(size_t)kind < COUNT_OF(KINDS) ? kind : AUDIO_NONE].content_type;
}

enum audio_kind audio_kind_of_extension(struct str extension) {
  for (size_t i = AUDIO_NONE + 1; i < COUNT_OF(KINDS); i++) {
    if (str_eq_nocase(extension, str_from(KINDS[i].extension))) return (enum audio_kind)i;
  }
  return AUDIO_NONE;
}

enum audio_kind audio_kind_of_content_type(struct str content_type) {
  for (size_t i = AUDIO_NONE + 1; i < COUNT_OF(KINDS); i++) {
    if (str_eq_nocase(content_type, str_from(KINDS[i].content_type))) return (enum audio_kind)i;
  }
  return AUDIO_NONE;
}
