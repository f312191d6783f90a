/* How fast speech is cut into pieces, and with how much memory: bench_pieces FILE [TIMES]. The file is passed TIMES times in a
 * row as one stream (an MP3 without tags is one long recording then). Prints the seconds of audio per second of processor time,
 * and the peak of memory. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "audio/speech_pieces.h"

static enum err on_piece(void *arg, const struct speech_piece *piece) {
  double *sent_s = arg;
  *sent_s += (double)piece->count / SPEECH_PIECES_RATE;
  return OK;
}

static double processor_s(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)used.ru_utime.tv_sec + (double)used.ru_utime.tv_usec / 1e6;
}

static long peak_kb(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_maxrss;
}

static enum err feed_file(struct speech_pieces *p, FILE *file) {
  char bytes[64 * 1024];
  size_t n;
  rewind(file);
  while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0) TRY(speech_pieces_feed(p, str_of(bytes, n)));
  return OK;
}

int main(int argc, char **argv) {
  FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
  long times = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
  double sent_s = 0, began_s = processor_s();
  struct speech_pieces_config config = {.arg = &sent_s, .on_piece = on_piece};
  struct speech_pieces *p;
  struct speech_summary s;
  if (!file || speech_pieces_new(&config, &p) != OK) {
    (void)fprintf(stderr, "bench_pieces FILE [TIMES]\n");
    return 1;
  }
  enum err e = OK;
  for (long i = 0; i < times && e == OK; i++) e = feed_file(p, file);
  if (e == OK) e = speech_pieces_finish(p, &s);
  double used_s = processor_s() - began_s;
  if (e == OK)
    printf("%.0f s of audio in %.2f s: %.0f x real time; %d pieces with %.0f s; peak %ld KiB\n",
           (double)s.decoded_ms / 1000, used_s, (double)s.decoded_ms / 1000 / used_s, s.pieces, sent_s, peak_kb());
  else
    (void)fprintf(stderr, "%s\n", err_text(e));
  speech_pieces_free(p);
  (void)fclose(file);
  return e == OK ? 0 : 1;
}
