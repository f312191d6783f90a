/* twilio_form.c - the parameters of a webhook's form.
 *
 * Invariants
 *  (1) Every sequence of bytes is a form: no parameter is refused for what it consists of.
 *  (2) The work grows as n log n with the number of parameters, since anybody may send a body full of them. */
#include "provider/twilio_form.h"

#include <stdlib.h>
#include <string.h>

#include "http/route.h"
#include "provider/twilio_text.h"

static enum err parse_entries(struct str body, struct buf *storage, struct twilio_form *form) {
  struct http_form pairs = {.rest = body, .takes_any_bytes = true};
  for (;;) {
    struct twilio_form_entry *entry = &form->entries[form->count];
    enum err e = http_form_next(&pairs, storage, &entry->raw.name, &entry->raw.value);
    if (e == ERR_NOT_FOUND) return OK;
    if (e != OK) return e;
    TRY(twilio_text_repair(entry->raw.name, storage, &entry->text.name));
    TRY(twilio_text_repair(entry->raw.value, storage, &entry->text.value));
    if (entry->text.name.p != entry->raw.name.p || entry->text.value.p != entry->raw.value.p) form->has_repairs = true;
    form->count++;
  }
}

/* By name, those of the same name in the order of the body. */
static int entry_cmp(const void *left, const void *right) {
  const struct twilio_form_entry *a = *(struct twilio_form_entry *const *)left;
  const struct twilio_form_entry *b = *(struct twilio_form_entry *const *)right;
  int order = str_cmp(a->text.name, b->text.name);
  return order != 0 ? order : (a > b) - (a < b);
}

/* (2) */
enum err twilio_form_mark_repeated(struct twilio_form *form) {
  if (form->count < 2) return OK;
  struct twilio_form_entry **sorted = malloc(form->count * sizeof(struct twilio_form_entry *));
  if (!sorted) return ERR_NOMEM;
  for (size_t i = 0; i < form->count; i++) sorted[i] = &form->entries[i];
  qsort(sorted, form->count, sizeof(sorted[0]), entry_cmp);
  for (size_t i = 1; i < form->count; i++)
    sorted[i]->is_repeated = str_eq(sorted[i]->text.name, sorted[i - 1]->text.name);
  free(sorted);
  return OK;
}

enum err twilio_form_parse(struct str body, struct buf *storage, struct twilio_form *ret_form) {
  size_t most = 2; /* one more than there can be, for the entry that is not found */
  for (size_t i = 0; i < body.n; i++) most += body.p[i] == '&';
  struct twilio_form form = {.entries = calloc(most, sizeof(form.entries[0]))};
  if (!form.entries) return ERR_NOMEM;
  enum err e = parse_entries(body, storage, &form);
  if (e == OK)
    *ret_form = form;
  else
    twilio_form_done(&form);
  return e;
}

void twilio_form_done(struct twilio_form *form) {
  free(form->entries);
  *form = (struct twilio_form){0};
}

struct str twilio_form_value(const struct twilio_form *form, const char *name) {
  for (size_t i = 0; i < form->count; i++)
    if (str_eq(form->entries[i].text.name, str_from(name))) return form->entries[i].text.value;
  return STR_NONE;
}

void twilio_form_copy(const struct twilio_form *form, bool raw, struct twilio_parameter *ret_parameters) {
  for (size_t i = 0; i < form->count; i++) ret_parameters[i] = raw ? form->entries[i].raw : form->entries[i].text;
}
