/* talk.h - generates the audio of a recording, from any offset.
 *
 * The bytes depend only on the recording's SID, its length and the voice: they are the same every time and in every process. Two
 * channels have one speaker each; one channel has both, mixed.
 * Thread rule: one owner at a time. */
#pragma once

#include "base/str.h"
#include "voice.h"

enum talk_format { TALK_WAV, TALK_MP3 };
enum { TALK_WAV_HEADER = 44, TALK_SECONDS_MAX = 4 * 60 * 60 };

/* Exact sizes in bytes. */
int64_t talk_size(enum talk_format format, int64_t seconds, unsigned channels);

struct talk;
CHECKED enum err talk_new(struct voice *voice, struct str sid, enum talk_format format, int64_t seconds,
                          unsigned channels, struct talk **ret_talk);
struct talk *talk_free(struct talk *t);
/* Writes up to room bytes from the offset into ret_bytes; fewer than room only at the end. ERR_NOMEM. */
CHECKED enum err talk_read(struct talk *t, int64_t offset, size_t room, uint8_t *ret_bytes, size_t *ret_n);
