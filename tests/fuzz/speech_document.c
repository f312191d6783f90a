/* Input: any bytes as a document and as a person's correction of one. Property: they are refused with the name of a member, or
 * give clean texts within the ceilings, in order of time; and what was written is read back the same. */
#include <jansson.h>
#include <stdlib.h>

#include "speech/speech_export.h"
#include "speech/speech_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static void check(const struct speech_document *d) {
  struct speech_document again CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  struct buf first CLEANUP(buf_done) = BUF_INIT(SPEECH_DOCUMENT_MAX),
                   second CLEANUP(buf_done) = BUF_INIT(SPEECH_DOCUMENT_MAX);
  struct speech_wrong wrong;
  for (size_t i = 0; i < d->segment_count; i++) {
    const struct speech_segment *s = &d->segments[i];
    require(s->start_ms >= 0 && s->start_ms <= s->end_ms && s->end_ms <= SPEECH_TIME_MAX_MS);
    require(i == 0 || s->start_ms >= d->segments[i - 1].start_ms);
    require(s->channel >= -1 && s->channel < SPEECH_CHANNELS_MAX && s->confidence >= -1 && s->confidence <= 1);
    require(s->text.n > 0 && s->text.n <= SPEECH_TEXT_MAX && speech_text_is_clean(s->text));
    require(s->speaker.n <= SPEECH_SPEAKER_MAX && speech_text_is_clean(s->speaker));
    for (size_t k = 0; k < s->word_count; k++)
      require(s->words[k].text.n > 0 && speech_text_is_clean(s->words[k].text));
  }
  require(d->talk.speaker_count <= SPEECH_TALKERS_MAX && d->gap_count <= SPEECH_GAPS_MAX);
  require(speech_document_write(d, &first) == OK);
  require(speech_document_parse(buf_str(&first), &again, &wrong) == OK);
  require(speech_document_write(&again, &second) == OK && str_eq(buf_str(&first), buf_str(&second)));
  for (int export = SPEECH_EXPORT_TXT; export <= SPEECH_EXPORT_VTT; export ++) {
    buf_clear(&second);
    require(speech_export_write(d, (enum speech_export) export, &second) == OK &&
            (!second.n || str_is_utf8(buf_str(&second))));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  struct str text = str_of((const char *)bytes, n);
  struct speech_document d CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT,
                           before CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT,
                           edited CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  struct speech_wrong wrong = {""};
  if (speech_document_parse(text, &d, &wrong) == OK) {
    json_t *root =
        json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, NULL); /* nothing else is taken for JSON */
    require(json_is_object(root));
    json_decref(root);
    check(&d);
  } else {
    require(d.arena.used == 0 && memchr(wrong.field, 0, sizeof(wrong.field)));
  }
  require(speech_document_parse(
              STR("{\"segments\":[{\"start\":1,\"end\":2,\"speaker\":\"a\",\"text\":\"b\"}],\"talk\":"
                  "{\"speakers\":{\"a\":1,\"c\":2}},\"gaps\":[{\"start\":1,\"end\":2,\"reason\":\"r\"}]}"),
              &before, &wrong) == OK);
  if (speech_document_edit(&before, text, &edited, &wrong) == OK) check(&edited);
  return 0;
}
