/* api_page.c - the page: its paths, its assets, the player alone, and the description of the API.
 *
 * Invariants
 *  (1) Its paths are a closed list, in routes.c: what else looks like one is not found, as anything else is not.
 *  (2) No script stands in the HTML, and none may run that is not a file of ours. */
#include "api/handlers/api_handlers.h"
#include "api/handlers/api_page_files.h"
#include "api/request/api_answer.h"
#include "api/request/api_loop.h"
#include "api/request/api_origin.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"

enum { ASSET_NAME_MAX = 128 };

static void begin(struct http_fields *f, struct str lines) {
  answer_fields_media(f);
  answer_lines(f, lines);
}

static void answer(struct api_request *v, struct str name, struct http_fields *f) {
  const struct http_static_file *file = page_file(v->api->page, name);
  if (file)
    http_static_answer(v->x, file, f);
  else
    problem_answer(v->x, PROBLEM_NOT_FOUND, NULL);
}

static void answer_html(struct api_request *v, struct str name) {
  struct http_fields f;
  begin(&f, STR("Cache-Control: no-cache\r\n"));
  http_fieldf(&f, STR("Content-Security-Policy"),
              "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
              "media-src 'self' blob:; connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'self'; "
              "form-action 'self'; frame-ancestors %s",
              origins_frame_ancestors(v->api->origins)); /* (2) */
  answer(v, name, &f);
}

void api_page(void *arg, struct http_exchange *x) {
  (void)x;
  answer_html(arg, STR("index.html"));
}

void api_embed_page(void *arg, struct http_exchange *x) {
  (void)x;
  answer_html(arg, STR("embed.html"));
}

/* Their names hold a hash of what is in them. */
void api_asset(void *arg, struct http_exchange *x) {
  struct api_request *v = arg;
  struct http_fields f;
  struct buf name CLEANUP(buf_done) = BUF_INIT(ASSET_NAME_MAX);
  (void)x;
  begin(&f, STR("Cache-Control: public, max-age=31536000, immutable\r\n"));
  bool fits = buf_addf(&name, "assets/%.*s", STR_ARG(str_head(v->match.params[0], ASSET_NAME_MAX))) == OK;
  answer(v, fits ? buf_str(&name) : STR_NONE, &f);
}

void api_icon(void *arg, struct http_exchange *x) {
  struct http_fields f;
  (void)x;
  begin(&f, STR("Cache-Control: no-cache\r\n"));
  answer(arg, STR("favicon.svg"), &f);
}

/* For pages of any origin: it holds nothing of anybody. */
void api_player_script(void *arg, struct http_exchange *x) {
  struct http_fields f;
  (void)x;
  begin(&f, STR("Cache-Control: no-cache\r\nAccess-Control-Allow-Origin: *\r\nCross-Origin-Resource-Policy: "
                "cross-origin\r\n"));
  answer(arg, STR("callreel-player.js"), &f);
}

void api_description(void *arg, struct http_exchange *x) {
  struct http_fields f;
  begin(&f, STR("Cache-Control: no-cache\r\n"));
  answer_origin(x, &f);
  answer(arg, STR("openapi.yaml"), &f);
}

bool page_moved(struct api_request *v) {
  const struct api *a = v->api;
  struct http_fields f;
  if (a->path_base.n == 0 || !str_eq(v->request->path, a->path_base)) return false;
  answer_fields(&f);
  http_fieldf(&f, STR("Location"), "%.*s/", STR_ARG(a->path_base));
  answer_empty(v->x, 308, &f);
  return true;
}
