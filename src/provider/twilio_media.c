/* twilio_media.c - the url of a recording's audio, and whether it may be fetched.
 *
 * Invariants
 *  (1) Credentials go only to the base's origin, and only to a path that names the account and the recording. Any other url
 *      that a webhook reports is stored, and never fetched.
 *  (2) A url is checked when it is stored and again before each request, since bases, accounts and rows change. */
#include "provider/twilio_media.h"

#include <stdlib.h>
#include <string.h>

#include "fetch/fetch.h"
#include "provider/twilio_sid.h"

static const char *const EXTENSIONS[] = {".json", ".mp3", ".wav"};

/* Without blanks around it, and without its query: of a url that names a recording, neither counts. */
static struct str url_trim(struct str url) {
  while (url.n && (unsigned char)url.p[0] <= ' ') url = str_skip(url, 1);
  while (url.n && (unsigned char)url.p[url.n - 1] <= ' ') url = str_head(url, url.n - 1);
  size_t query = str_index(url, '?', 0);
  return str_index(url, '#', 0) < query ? url : str_head(url, query);
}

static struct str url_without_extension(struct str url) {
  for (size_t i = 0; i < COUNT_OF(EXTENSIONS); i++) {
    struct str extension = str_from(EXTENSIONS[i]);
    if (url.n >= extension.n && str_eq_nocase(str_skip(url, url.n - extension.n), extension))
      return str_head(url, url.n - extension.n);
  }
  return url;
}

/* Takes the next segment off the path, which begins with '/'. */
static bool next_segment(struct str *path, struct str *ret_segment) {
  if (path->n == 0 || path->p[0] != '/') return false;
  size_t end = str_index(*path, '/', 1);
  *ret_segment = str_of(path->p + 1, end - 1);
  *path = str_skip(*path, end);
  return true;
}

/* An API version such as 2010-04-01. */
static bool is_version(struct str s) {
  if (s.n != 10) return false;
  for (size_t i = 0; i < s.n; i++) {
    bool dash = i == 4 || i == 7;
    if (dash ? s.p[i] != '-' : (s.p[i] < '0' || s.p[i] > '9')) return false;
  }
  return true;
}

/* /{version}/Accounts/{account}[/Calls/{call}]/Recordings/{recording}, and nothing after it. */
static bool path_is_known(struct str path, struct str account_sid, struct str recording_sid) {
  struct str segment;
  if (!next_segment(&path, &segment) || !is_version(segment)) return false;
  if (!next_segment(&path, &segment) || !str_eq(segment, STR("Accounts"))) return false;
  if (!next_segment(&path, &segment) || !str_eq(segment, account_sid)) return false;
  if (!next_segment(&path, &segment)) return false;
  if (str_eq(segment, STR("Calls"))) {
    if (!next_segment(&path, &segment) || !twilio_sid_is_call(segment)) return false;
    if (!next_segment(&path, &segment)) return false;
  }
  if (!str_eq(segment, STR("Recordings"))) return false;
  if (!next_segment(&path, &segment) || !str_eq(segment, recording_sid)) return false;
  return path.n == 0;
}

bool twilio_media_allowed(const struct provider_account *account, struct str url, struct str recording_sid) {
  struct fetch_url parts, base;
  if (url.n > TWILIO_URL_MAX) return false;
  if (!twilio_sid_is_account(account->account_sid) || !twilio_sid_is_recording(recording_sid)) return false;
  if (fetch_url_parse(url, &parts) != OK || fetch_url_parse(account->base_url, &base) != OK) return false;
  if (parts.has_userinfo || parts.has_query || parts.has_fragment) return false;
  if (!fetch_url_same_origin(&parts, &base)) return false;
  return path_is_known(parts.path, account->account_sid, recording_sid);
}

static bool is_absolute(struct str url) {
  return str_contains(url, STR("://")) || str_starts(url, STR("//"));
}

/* The url has http, but its host is the base's, and the base has https. */
static bool is_base_host_by_http(struct str url, const struct fetch_url *base) {
  struct fetch_url parts;
  if (fetch_url_parse(url, &parts) != OK) return false;
  return str_eq_nocase(parts.scheme, STR("http")) && str_eq_nocase(base->scheme, STR("https")) && !parts.has_userinfo &&
         parts.port == 80 && str_eq_nocase(parts.host, base->host);
}

static enum err add_absolute(struct str base_url, struct str reported_url, struct buf *b) {
  struct fetch_url base;
  if (!is_absolute(reported_url)) {
    TRY(buf_add(b, base_url));
    if (!str_starts(reported_url, STR("/"))) TRY(buf_add_char(b, '/'));
    return buf_add(b, reported_url);
  }
  if (fetch_url_parse(base_url, &base) != OK || !is_base_host_by_http(reported_url, &base))
    return buf_add(b, reported_url);
  size_t end = sizeof("http://") - 1;
  while (end < reported_url.n && reported_url.p[end] != '/' && reported_url.p[end] != '?' && reported_url.p[end] != '#')
    end++;
  TRY(buf_add(b, STR("https://")));
  TRY(buf_add(b, base.host));
  return buf_add(b, str_skip(reported_url, end));
}

enum err twilio_media_url(const struct provider_account *account, struct str reported_url, struct str recording_sid,
                          struct buf *b, struct str *ret_url, bool *ret_forbidden) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(2 * TWILIO_URL_MAX + 16); /* reported_url may be a view into b */
  reported_url = url_trim(reported_url);
  bool fits = reported_url.n <= TWILIO_URL_MAX && account->base_url.n <= TWILIO_URL_MAX;
  if (fits)
    TRY(add_absolute(account->base_url, reported_url, &text));
  else /* too long, so forbidden; its head is stored for people to read */
    TRY(buf_add(&text, str_head_utf8(reported_url, TWILIO_URL_MAX)));
  struct str url = fits ? url_without_extension(buf_str(&text)) : buf_str(&text);
  bool allowed = fits && twilio_media_allowed(account, url, recording_sid);
  size_t start = b->n;
  TRY(buf_add(b, str_head_utf8(url, TWILIO_URL_MAX)));
  *ret_url = str_of(b->p + start, b->n - start);
  *ret_forbidden = !allowed;
  return OK;
}

struct str twilio_media_sid(struct str url) {
  struct str path = url_without_extension(url_trim(url));
  size_t start = path.n;
  while (start > 0 && path.p[start - 1] != '/') start--;
  struct str last = str_skip(path, start);
  return twilio_sid_is_recording(last) ? last : STR_NONE;
}

static const char *format_suffix(enum provider_format format) {
  switch (format) {
    case PROVIDER_MP3:
      return ".mp3";
    case PROVIDER_WAV:
    case PROVIDER_WAV_DUAL:
      return ".wav";
    case PROVIDER_ANY:
      break;
  }
  return "";
}

/* Takes url. */
static struct provider_request request_with_credentials(const struct provider_account *account, char *url) {
  bool has_key = account->api_key.n > 0 && account->api_secret.n > 0;
  return (struct provider_request){
      .url = url,
      .user = has_key ? account->api_key : account->account_sid,
      .password = has_key ? account->api_secret : account->tokens[0],
  };
}

enum err twilio_media_request(const struct provider_account *account, struct str url, struct str recording_sid,
                              enum provider_format format, bool two_channels, struct provider_request *ret_request) {
  if (!twilio_media_allowed(account, url, recording_sid)) return ERR_DENIED; /* (2) */
  struct buf text CLEANUP(buf_done) = BUF_INIT(TWILIO_URL_MAX + 64);
  const char *terminated;
  TRY(buf_add(&text, url));
  TRY(buf_add(&text, str_from(format_suffix(format))));
  if (two_channels && format == PROVIDER_WAV_DUAL) TRY(buf_add(&text, STR("?RequestedChannels=2")));
  TRY(buf_terminate(&text, &terminated));
  *ret_request = request_with_credentials(account, TAKE(text.p));
  return OK;
}

enum err twilio_media_remove(const struct provider_account *account, struct str recording_sid,
                             struct provider_request *ret_request) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(TWILIO_URL_MAX + 64);
  const char *terminated;
  if (!twilio_sid_is_account(account->account_sid) || !twilio_sid_is_recording(recording_sid)) return ERR_DENIED;
  TRY(buf_addf(&text, "%.*s/2010-04-01/Accounts/%.*s/Recordings/%.*s.json", STR_ARG(account->base_url),
               STR_ARG(account->account_sid), STR_ARG(recording_sid)));
  TRY(buf_terminate(&text, &terminated));
  struct provider_request request = request_with_credentials(account, NULL);
  if (request.password.n == 0) return ERR_DENIED;
  request.url = TAKE(text.p);
  *ret_request = request;
  return OK;
}

/* The request asks for identity, and callreel does not decode a body that is encoded all the same. Object stores write
 * aws-chunked for an upload in chunks of theirs; it says nothing about the body. */
static bool is_encoded(struct str content_encoding) {
  struct str coding;
  while (content_encoding.n > 0) {
    (void)str_cut(content_encoding, ',', &coding, &content_encoding);
    coding = str_trim(coding);
    if (coding.n > 0 && !str_eq_nocase(coding, STR("identity")) && !str_eq_nocase(coding, STR("aws-chunked")))
      return true;
  }
  return false;
}

enum provider_answer twilio_media_answer(int status, struct str content_encoding, enum recording_error *ret_error) {
  switch (status) {
    case 200:
    case 206:
      if (!is_encoded(content_encoding)) return PROVIDER_AUDIO;
      *ret_error = RECORDING_PROVIDER_ERROR;
      return PROVIDER_FAILED;
    case 404:
    case 410:
      return PROVIDER_NOT_FOUND;
    case 400:
    case 406:
    case 415:
      return PROVIDER_OTHER_FORMAT;
    case 401:
      *ret_error = RECORDING_AUTH_FAILED; /* speaks of the account */
      return PROVIDER_FAILED;
    case 403:
      *ret_error = RECORDING_DENIED_BY_PROVIDER; /* speaks of this recording */
      return PROVIDER_FAILED;
    case 429:
      *ret_error = RECORDING_RATE_LIMITED;
      return PROVIDER_FAILED;
    default:
      *ret_error = RECORDING_PROVIDER_ERROR;
      return PROVIDER_FAILED;
  }
}
