#include "domain/recording_log.h"

#include "domain/recording_error.h"

void recording_log_failure(const struct recording *row, struct str why) {
  enum recording_error error = recording_error_of_code(str_from(row->error_code), NULL);
  bool is_ours = error == RECORDING_STORAGE_FULL || error == RECORDING_STORAGE_ERROR;
  if (why.n == 0) why = str_from(recording_error_message(error));
  log_at(row->permanent || is_ours ? LOG_ERROR : LOG_WARN, "Recording failed", LOG_RECORDING(row),
         LOG_TEXT("code", row->error_code), LOG_INT("attempt", row->fail_count), LOG_INT("permanent", row->permanent),
         LOG_STR("why", why));
}
