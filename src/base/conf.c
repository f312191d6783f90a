/* conf.c - the settings, read once.
 *
 *   file, environment --collect--> one raw text a setting --parse--> struct conf
 *
 * Invariants
 *  (1) A setting's text is of one source: the environment's, else the file's, else the default. NAME and NAME_FILE are
 *      two spellings of one setting: both in one source are refused, and one in the environment hides both in the file.
 *      An empty value counts as not given.
 *  (2) No problem sentence contains a value: the value may be a secret under a wrong name.
 *  (3) Every copy of a text is wiped before it is freed. */
#include "base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/secret.h"

enum { FILE_MAX_BYTES = 256 * 1024, VALUE_MAX_BYTES = 64 * 1024, PROBLEM_MAX_BYTES = 4096 };

enum kind { KIND_TEXT, KIND_SECRET, KIND_INT, KIND_CHOICE };

struct setting {
  const char *name;
  const char *help;
  const char *text_default; /* NULL: unset */
  const char *words;        /* of a choice, between '|' */
  int64_t int_default, min, max;
  size_t offset; /* of its field in struct conf */
  enum kind kind;
};

static const struct setting settings[] = {
#define CONF_TEXT(name_, field_, default_, help_) \
  {.name = #name_, .help = help_, .text_default = default_, .offset = offsetof(struct conf, field_), .kind = KIND_TEXT},
#define CONF_SECRET(name_, field_, default_, help_) \
  {.name = #name_,                                  \
   .help = help_,                                   \
   .text_default = default_,                        \
   .offset = offsetof(struct conf, field_),         \
   .kind = KIND_SECRET},
#define CONF_INT(name_, field_, default_, min_, max_, help_) \
  {.name = #name_,                                           \
   .help = help_,                                            \
   .int_default = default_,                                  \
   .min = min_,                                              \
   .max = max_,                                              \
   .offset = offsetof(struct conf, field_),                  \
   .kind = KIND_INT},
#define CONF_CHOICE(name_, field_, default_, words_, help_) \
  {.name = #name_,                                          \
   .help = help_,                                           \
   .int_default = default_,                                 \
   .words = words_,                                         \
   .offset = offsetof(struct conf, field_),                 \
   .kind = KIND_CHOICE},
#include "base/conf.def"
#undef CONF_TEXT
#undef CONF_SECRET
#undef CONF_INT
#undef CONF_CHOICE
};

enum { SETTINGS = COUNT_OF(settings) };

/* The value that one source has for one setting. Views into the source. */
struct given {
  struct str text;
  struct str path; /* NAME_FILE */
  unsigned line;   /* in the file; 0: not given there */
  unsigned path_line;
};

struct source {
  struct given given[SETTINGS];
};

static enum err __attribute__((format(printf, 2, 3))) conf_refuse(struct buf *problem, const char *format, ...) {
  buf_clear(problem);
  va_list args;
  va_start(args, format);
  enum err e = buf_vaddf(problem, format, args);
  va_end(args);
  return e == OK ? ERR_INVALID : e;
}

static void wipe_text(char **text) {
  if (*text) secret_wipe(*text, strlen(*text));
  free(*text);
  *text = NULL;
}

/* The setting that name spells; NULL if there is none. */
static const struct setting *setting_find(struct str name, bool *ret_is_path) {
  for (size_t i = 0; i < SETTINGS; i++) {
    struct str own = str_from(settings[i].name);
    if (str_eq(name, own)) {
      *ret_is_path = false;
      return &settings[i];
    }
    if (settings[i].kind == KIND_SECRET && str_starts(name, own) && str_eq(str_skip(name, own.n), STR("_FILE"))) {
      *ret_is_path = true;
      return &settings[i];
    }
  }
  return NULL;
}

/* A text that is no name may be a secret without its name (2). */
static bool looks_like_name(struct str s) {
  if (s.n > 64) return false;
  for (size_t i = 0; i < s.n; i++) {
    if (!(s.p[i] >= 'A' && s.p[i] <= 'Z') && !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '_') return false;
  }
  return true;
}

static enum err collect_line(struct source *source, struct str line, unsigned number, const char *file,
                             struct buf *problem) {
  struct str name, value;
  bool is_path;
  if (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
  line = str_trim(line);
  if (line.n == 0 || line.p[0] == '#') return OK;
  bool cut = str_cut(line, '=', &name, &value);
  name = str_trim(name);
  value = str_trim(value);
  if (!cut || name.n == 0) return conf_refuse(problem, "%s line %u: must be NAME=value", file, number);
  const struct setting *s = setting_find(name, &is_path);
  if (!s && looks_like_name(name)) {
    return conf_refuse(problem, "%.*s: unknown setting (%s line %u)", STR_ARG(name), file, number);
  }
  if (!s) return conf_refuse(problem, "%s line %u: unknown setting", file, number);
  struct given *g = &source->given[s - settings];
  unsigned *seen = is_path ? &g->path_line : &g->line;
  if (*seen) {
    return conf_refuse(problem, "%.*s: given twice (%s lines %u and %u)", STR_ARG(name), file, *seen, number);
  }
  *seen = number;
  *(is_path ? &g->path : &g->text) = value;
  return OK;
}

static enum err collect_file(struct source *source, struct str text, const char *file, struct buf *problem) {
  unsigned number = 0;
  while (text.n > 0) {
    struct str line;
    (void)str_cut(text, '\n', &line, &text); /* the last line may have no end */
    TRY(collect_line(source, line, ++number, file, problem));
  }
  return OK;
}

static void collect_environment(struct source *source, char *const *environment) {
  for (char *const *entry = environment; entry && *entry; entry++) {
    struct str name, value;
    bool is_path;
    if (!str_cut(str_from(*entry), '=', &name, &value)) continue;
    const struct setting *s = setting_find(name, &is_path);
    if (s) *(is_path ? &source->given[s - settings].path : &source->given[s - settings].text) = value;
  }
}

/* Reads the file at a path that the operator chose. Links are followed; the target must be a regular file. */
static enum err conf_read_file(const char *path, bool secret, size_t max, const char *source_name, struct buf *problem,
                               struct buf *content) {
  int fd CLEANUP(fs_close_) = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0)
    return conf_refuse(problem, "%s: cannot read %s: %s", source_name, path, strerror(errno));
  if (!S_ISREG(st.st_mode)) return conf_refuse(problem, "%s: %s is not a regular file", source_name, path);
  if (secret && (st.st_mode & 077)) {
    return conf_refuse(problem, "%s: %s can be read by others (mode %04o; make it 0600)", source_name, path,
                       (unsigned)st.st_mode & 07777);
  }
  if (st.st_mode & 022) { /* a user who can write it could name keys of his own */
    return conf_refuse(problem, "%s: %s can be written by others (mode %04o; make it 0640)", source_name, path,
                       (unsigned)st.st_mode & 07777);
  }
  while (content->n <= max) {
    TRY(buf_reserve(content, 4096));
    ssize_t n = read(fd, content->p + content->n, 4096);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return conf_refuse(problem, "%s: cannot read %s: %s", source_name, path, strerror(errno));
    if (n == 0) return OK;
    content->n += (size_t)n;
  }
  return conf_refuse(problem, "%s: %s is larger than %zu bytes", source_name, path, max);
}

/* The text in a secret's file, without the end of its line. */
static enum err read_secret(const struct setting *s, struct str path, struct buf *problem, char **ret_text) {
  char source_name[64];
  struct buf name CLEANUP(buf_done) = BUF_INIT(sizeof(source_name));
  struct buf content CLEANUP(secret_buf_done) = BUF_INIT(VALUE_MAX_BYTES + 8192);
  char *path_text CLEANUP(free_char) = str_dup(path);
  const char *name_text;
  TRY(buf_addf(&name, "%s_FILE", s->name));
  TRY(buf_terminate(&name, &name_text));
  TRY(str_copy(source_name, sizeof(source_name), buf_str(&name)));
  if (!path_text) return ERR_NOMEM;
  TRY(buf_reserve(&content, VALUE_MAX_BYTES + 4096)); /* all at once: growing would leave copies in freed memory (3) */
  TRY(conf_read_file(path_text, true, VALUE_MAX_BYTES, source_name, problem, &content));
  struct str text = buf_str(&content);
  if (str_ends(text, STR("\n"))) text.n--;
  if (str_ends(text, STR("\r"))) text.n--;
  if (text.n == 0) return conf_refuse(problem, "%s: %s is empty", source_name, path_text);
  if (!str_is_utf8(text)) return conf_refuse(problem, "%s: %s must hold text", source_name, path_text);
  char *copy = str_dup(text);
  if (!copy) return ERR_NOMEM;
  *ret_text = copy;
  return OK;
}

static enum err conf_refuse_choice(const struct setting *s, struct buf *problem) {
  TRY(buf_addf(problem, "%s: must be one of ", s->name));
  for (const char *c = s->words; *c; c++) TRY(*c == '|' ? buf_add(problem, STR(", ")) : buf_add_char(problem, *c));
  return ERR_INVALID;
}

static enum err parse_choice(const struct setting *s, struct str text, struct buf *problem, int *ret_index) {
  struct str rest = str_from(s->words), word;
  buf_clear(problem);
  for (int i = 0; rest.n > 0; i++) {
    (void)str_cut(rest, '|', &word, &rest); /* the last word has no bar */
    if (!str_eq(word, text)) continue;
    *ret_index = i;
    return OK;
  }
  return conf_refuse_choice(s, problem);
}

static enum err parse_int(const struct setting *s, struct str text, struct buf *problem, int64_t *ret_value) {
  if (str_to_i64(text, s->min, s->max, ret_value) == OK) return OK;
  if (s->max == INT64_MAX) {
    return conf_refuse(problem, "%s: must be a whole number of at least %lld", s->name, (long long)s->min);
  }
  return conf_refuse(problem, "%s: must be a whole number from %lld to %lld", s->name, (long long)s->min,
                     (long long)s->max);
}

static enum err parse_text(const struct setting *s, struct str text, struct buf *problem, char **ret_text) {
  if (text.n > VALUE_MAX_BYTES) return conf_refuse(problem, "%s: is longer than %d bytes", s->name, VALUE_MAX_BYTES);
  if (!str_is_utf8(text)) return conf_refuse(problem, "%s: must be text in UTF-8", s->name);
  char *copy = str_dup(text);
  if (!copy) return ERR_NOMEM;
  *ret_text = copy;
  return OK;
}

static void *field_of(struct conf *c, const struct setting *s) {
  return (char *)c + s->offset;
}

static enum err set_default(const struct setting *s, struct conf *c) {
  if (s->kind == KIND_INT) {
    *(int64_t *)field_of(c, s) = s->int_default;
  } else if (s->kind == KIND_CHOICE) {
    *(int *)field_of(c, s) = (int)s->int_default;
  } else if (s->text_default) {
    char *copy = str_dup(str_from(s->text_default));
    if (!copy) return ERR_NOMEM;
    *(char **)field_of(c, s) = copy;
  }
  return OK;
}

static enum err set_given(const struct setting *s, const struct given *g, struct buf *problem, struct conf *c) {
  if (g->text.n && g->path.n)
    return conf_refuse(problem, "%s: given as %s_FILE too; only one of them", s->name, s->name);
  if (g->path.n) return read_secret(s, g->path, problem, field_of(c, s));
  if (s->kind == KIND_INT) return parse_int(s, g->text, problem, field_of(c, s));
  if (s->kind == KIND_CHOICE) return parse_choice(s, g->text, problem, field_of(c, s));
  return parse_text(s, g->text, problem, field_of(c, s));
}

static bool is_given(const struct given *g) {
  return g->text.n || g->path.n;
}

static enum err conf_read_sources(const char *file, char *const *environment, struct buf *problem, struct conf *c) {
  struct source of_file = {0}, of_environment = {0};
  struct buf text CLEANUP(secret_buf_done) = BUF_INIT(FILE_MAX_BYTES + 8192);
  if (file) {
    TRY(buf_reserve(&text, FILE_MAX_BYTES + 4096)); /* at once, as in read_secret */
    TRY(conf_read_file(file, false, FILE_MAX_BYTES, "--config", problem, &text));
    TRY(collect_file(&of_file, buf_str(&text), file, problem));
  }
  collect_environment(&of_environment, environment);
  for (size_t i = 0; i < SETTINGS; i++) {
    const struct given *g = is_given(&of_environment.given[i]) ? &of_environment.given[i] : &of_file.given[i];
    TRY(is_given(g) ? set_given(&settings[i], g, problem, c) : set_default(&settings[i], c));
  }
  return OK;
}

enum err conf_load(const char *file, char *const *environment, struct buf *ret_problem, struct conf *ret_conf) {
  struct conf c = {0};
  struct buf problem CLEANUP(buf_done) = BUF_INIT(PROBLEM_MAX_BYTES);
  enum err e = conf_read_sources(file, environment, &problem, &c);
  if (e == OK) {
    *ret_conf = c;
    return OK;
  }
  conf_done(&c);
  if (e != ERR_INVALID) {
    buf_clear(&problem);
    TRY(buf_addf(&problem, "settings: %s", err_text(e)));
  }
  buf_clear(ret_problem);
  TRY(buf_add(ret_problem, buf_str(&problem)));
  return e;
}

void conf_done(struct conf *c) {
  for (size_t i = 0; i < SETTINGS; i++) {
    if (settings[i].kind == KIND_TEXT || settings[i].kind == KIND_SECRET) wipe_text(field_of(c, &settings[i]));
  }
}

static enum err help_value(struct buf *b, const struct setting *s) {
  if (s->kind == KIND_SECRET) return buf_addf(b, ", %s_FILE", s->name);
  if (s->kind == KIND_TEXT) return s->text_default ? buf_addf(b, " (%s)", s->text_default) : OK;
  if (s->kind == KIND_CHOICE) {
    struct str rest = str_from(s->words), word = STR_NONE;
    for (int64_t i = 0; i <= s->int_default; i++) (void)str_cut(rest, '|', &word, &rest); /* index is within words */
    return buf_addf(b, " (%.*s), one of %s", STR_ARG(word), s->words);
  }
  if (s->int_default >= 0) TRY(buf_addf(b, " (%lld)", (long long)s->int_default));
  if (s->max == INT64_MAX) return buf_addf(b, ", at least %lld", (long long)s->min);
  return buf_addf(b, ", %lld to %lld", (long long)s->min, (long long)s->max);
}

enum err conf_help(struct buf *b) {
  for (size_t i = 0; i < SETTINGS; i++) {
    TRY(buf_addf(b, "  %s", settings[i].name));
    TRY(help_value(b, &settings[i]));
    TRY(buf_addf(b, "\n      %s\n", settings[i].help));
  }
  return OK;
}
