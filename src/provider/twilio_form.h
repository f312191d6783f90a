/* twilio_form.h - the parameters of a webhook's form, whatever bytes they consist of.
 *
 *   TRY(twilio_form_parse(body, &storage, &form));   twilio_form_value(&form, "CallSid")
 *   TRY(twilio_form_mark_repeated(&form));   twilio_form_done(&form);
 *
 * Thread rule: pure. */
#pragma once

#include "base/buf.h"
#include "provider/twilio_signature.h"

struct twilio_form_entry {
  struct twilio_parameter raw;  /* the decoded bytes, as the sender signed them */
  struct twilio_parameter text; /* in UTF-8: without NUL, with U+FFFD for what is no UTF-8 */
  bool is_repeated;             /* an entry before this one has the same name; set by twilio_form_mark_repeated */
};

struct twilio_form {
  struct twilio_form_entry *entries; /* in the order of the body; owned */
  size_t count;
  bool has_repairs; /* a text differs from its raw bytes */
};

/* The most that twilio_form_parse appends to storage for each byte of the body: the byte, and U+FFFD for it. */
enum { TWILIO_FORM_ROOM = 4 };

/* Views point into storage, in which the caller has reserved TWILIO_FORM_ROOM * body.n bytes. ERR_NOMEM. The caller frees
 * *ret_form with twilio_form_done. */
CHECKED enum err twilio_form_parse(struct str body, struct buf *storage, struct twilio_form *ret_form);
/* Costs a sort: call it when the form is known to be the provider's. ERR_NOMEM. */
CHECKED enum err twilio_form_mark_repeated(struct twilio_form *form);
void twilio_form_done(struct twilio_form *form);
/* The text of the first parameter with that name; empty if there is none. */
struct str twilio_form_value(const struct twilio_form *form, const char *name);
/* Fills ret_parameters, which has room for form->count, with the raw parameters or with their texts. */
void twilio_form_copy(const struct twilio_form *form, bool raw, struct twilio_parameter *ret_parameters);
