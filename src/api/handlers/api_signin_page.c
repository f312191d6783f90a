/* api_signin_page.c - the pages of /signin.
 *
 * Invariants
 *  (1) Foreign text is escaped, also within attributes, and isolated, so that it can't turn the direction of what is around it.
 *  (2) The policy names the digest of STYLE. No script is allowed, and forms go to this server only.
 *  (3) The pages ask for a referrer within this origin: without one, browsers send "Origin: null" with the form, which could be
 *      any other site's. The header stays no-referrer for browsers that do not know the element. */
#include "api/handlers/api_signin_page.h"

#include "api/request/api_answer.h"
#include "api/request/api_origin.h"
#include "api/request/problem.h"
#include "base/secret.h"

#define STYLE                                                                                                         \
  "body{font:1rem/1.5 system-ui,sans-serif;margin:0;display:grid;place-items:center;min-height:100vh;"                \
  "background:#f4f5f7;color:#1b1f24}main{background:#fff;padding:2rem;border-radius:.75rem;max-width:26rem;"          \
  "box-shadow:0 1px 4px #0003}h1{font-size:1.25rem;margin-top:0}input{width:100%;box-sizing:border-box;font:inherit;" \
  "padding:.5rem}button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.5rem;background:#0b5fff;"           \
  "color:#fff;cursor:pointer}button:focus-visible,input:focus-visible{outline:3px solid #ffb000}"                     \
  "@media(prefers-color-scheme:dark){body{background:#14171a;color:#e8eaed}main{background:#1f2429}}"

static const struct str begin =
    STR("<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width\"><meta name=\"referrer\" content=\"same-origin\"><meta name=\"robots\" "
        "content=\"noindex\"><title>callreel</title><style>" STYLE "</style></head>\n<body><main>\n");
static const struct str end = STR("</main></body>\n</html>\n");

/* (1) */
static enum err page_add_text(struct buf *b, struct str s) {
  TRY(buf_add(b, STR("<bdi>")));
  for (size_t i = 0; i < s.n; i++) {
    unsigned char c = (unsigned char)s.p[i];
    if (c == '&' || c == '<' || c == '>' || c == '"' || c == '\'')
      TRY(buf_addf(b, "&#%d;", c));
    else if (c >= ' ' && c != 0x7f)
      TRY(buf_add_char(b, s.p[i]));
  }
  return buf_add(b, STR("</bdi>"));
}

static enum err page_add_role(struct buf *b, struct str role, bool hebrew) {
  if (!hebrew) return buf_add(b, role);
  return buf_add(b, str_eq(role, STR("admin"))   ? STR("ניהול")
                    : str_eq(role, STR("agent")) ? STR("נציגות")
                                                 : STR("צפייה"));
}

static enum err page_add_form(struct buf *b, struct str path_base) {
  return buf_addf(b, "<form method=\"post\" action=\"%.*s/signin\">", STR_ARG(path_base));
}

enum err signin_page_offer(struct buf *b, struct str path_base, const struct signin_offer *offer) {
  TRY(buf_add(b, begin));
  TRY(buf_add(b, STR("<h1>Sign in</h1>\n<p>This link signs you in to ")));
  TRY(page_add_text(b, offer->business));
  TRY(buf_add(b, STR(" as ")));
  TRY(page_add_role(b, offer->role, false));
  TRY(buf_add(b, STR(".</p>\n")));
  if (offer->replaces) {
    TRY(buf_add(b, STR("<p>It replaces your present session at ")));
    TRY(page_add_text(b, offer->old_business));
    TRY(buf_add(b, STR(" as ")));
    TRY(page_add_text(b, offer->old_subject.n ? offer->old_subject : offer->old_role));
    TRY(buf_add(b, STR(".</p>\n")));
  }
  TRY(buf_add(b, STR("<p lang=\"he\" dir=\"rtl\">הקישור הזה מכניס אותך אל ")));
  TRY(page_add_text(b, offer->business));
  TRY(buf_add(b, STR(", בהרשאת ")));
  TRY(page_add_role(b, offer->role, true));
  TRY(buf_add(b, STR(".")));
  if (offer->replaces) {
    TRY(buf_add(b, STR(" הכניסה הנוכחית אל ")));
    TRY(page_add_text(b, offer->old_business));
    TRY(buf_add(b, STR(" תוחלף.")));
  }
  TRY(buf_add(b, STR("</p>\n")));
  TRY(page_add_form(b, path_base));
  TRY(buf_addf(b, "<input type=\"hidden\" name=\"token\" value=\"%.*s\">", STR_ARG(offer->token)));
  TRY(buf_add(b, STR("<button type=\"submit\">Sign in · כניסה</button></form>\n")));
  return buf_add(b, end);
}

enum err signin_page_refusal(struct buf *b, struct str path_base, bool is_key) {
  TRY(buf_add(b, begin));
  TRY(buf_add(b, STR("<h1>Sign in</h1>\n")));
  if (is_key)
    TRY(buf_add(b, STR("<p role=\"alert\">This key is not valid.</p>\n"
                       "<p lang=\"he\" dir=\"rtl\">המפתח הזה אינו תקף.</p>\n")));
  else
    TRY(buf_add(b, STR("<p role=\"alert\">This sign-in link was already used or has expired. Please ask for a new "
                       "one, or sign in with an API key.</p>\n"
                       "<p lang=\"he\" dir=\"rtl\">קישור הכניסה הזה כבר נוצל, או שפג תוקפו. יש לבקש קישור חדש, או "
                       "להיכנס עם מפתח API.</p>\n")));
  TRY(page_add_form(b, path_base));
  TRY(buf_add(b, STR("<p><label for=\"key\">API key · מפתח API</label><input id=\"key\" name=\"key\" type=\"password\" "
                     "dir=\"ltr\" autocomplete=\"current-password\" spellcheck=\"false\" required></p>"
                     "<button type=\"submit\">Sign in · כניסה</button></form>\n")));
  return buf_add(b, end);
}

/* "sha256-…" of STYLE. */
static enum err page_add_style_digest(struct buf *b) {
  uint8_t digest[SHA256_SIZE];
  secret_sha256(STR(STYLE), digest);
  TRY(buf_add(b, STR("sha256-")));
  return base64_encode(b, digest, sizeof(digest));
}

void signin_page_answer(struct http_exchange *x, int status, const struct buf *page) {
  const struct api *a = http_app_arg(x);
  struct buf style CLEANUP(buf_done) = BUF_INIT(128);
  struct http_fields f;
  if (page_add_style_digest(&style) != OK) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  answer_fields(&f);
  if (status == 401) http_field(&f, STR("WWW-Authenticate"), STR("Bearer"));
  http_fieldf(&f, STR("Content-Security-Policy"),
              "default-src 'none'; style-src '%.*s'; form-action 'self'; base-uri 'none'; frame-ancestors %s",
              STR_ARG(buf_str(&style)), origins_frame_ancestors(a->origins));
  answer_bytes(x, status, &f, STR("text/html; charset=utf-8"), buf_str(page));
}
