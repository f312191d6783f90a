/* api_page.c - the web page, its assets, the embeddable player, and the OpenAPI description.
 *
 * Invariants
 *  (1) routes.c lists every path of the page. Any other path is 404.
 *  (2) The HTML contains no script, and the Content-Security-Policy allows scripts only from files of this server. */
#include "api/handlers/api_handlers.h"
#include "api/handlers/api_page_files.h"
#include "api/request/api_answer.h"
#include "api/request/api_loop.h"
#include "api/request/api_origin.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"

enum { ASSET_NAME_MAX = 128 };

static void page_begin_fields(struct http_fields *f, struct str lines) {
  answer_fields_media(f);
  answer_lines(f, lines);
}

static void page_answer_file(struct api_request *req, struct str name, struct http_fields *f) {
  const struct http_static_file *file = page_file(req->api->page, name);
  if (file)
    http_static_answer(req->x, file, f);
  else
    problem_answer(req->x, PROBLEM_NOT_FOUND, NULL);
}

static void page_answer_html(struct api_request *req, struct str name) {
  struct http_fields f;
  page_begin_fields(&f, STR("Cache-Control: no-cache\r\n"));
  http_fieldf(&f, STR("Content-Security-Policy"),
              "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
              "media-src 'self' blob:; connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'self'; "
              "form-action 'self'; frame-ancestors %s",
              origins_frame_ancestors(req->api->origins)); /* (2) */
  page_answer_file(req, name, &f);
}

void api_page(void *arg, struct http_exchange *x) {
  (void)x;
  page_answer_html(arg, STR("index.html"));
}

void api_embed_page(void *arg, struct http_exchange *x) {
  (void)x;
  page_answer_html(arg, STR("embed.html"));
}

/* Assets may be cached forever: the name of each contains a hash of its contents. */
void api_asset(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  struct http_fields f;
  struct buf name CLEANUP(buf_done) = BUF_INIT(ASSET_NAME_MAX);
  (void)x;
  page_begin_fields(&f, STR("Cache-Control: public, max-age=31536000, immutable\r\n"));
  bool fits = buf_addf(&name, "assets/%.*s", STR_ARG(str_head(req->match.params[0], ASSET_NAME_MAX))) == OK;
  page_answer_file(req, fits ? buf_str(&name) : STR_NONE, &f);
}

void api_icon(void *arg, struct http_exchange *x) {
  struct http_fields f;
  (void)x;
  page_begin_fields(&f, STR("Cache-Control: no-cache\r\n"));
  page_answer_file(arg, STR("favicon.svg"), &f);
}

/* Pages of any origin may load the script: it contains no data of any business. */
void api_player_script(void *arg, struct http_exchange *x) {
  struct http_fields f;
  (void)x;
  page_begin_fields(&f,
                    STR("Cache-Control: no-cache\r\nAccess-Control-Allow-Origin: *\r\nCross-Origin-Resource-Policy: "
                        "cross-origin\r\n"));
  page_answer_file(arg, STR("callreel-player.js"), &f);
}

void api_description(void *arg, struct http_exchange *x) {
  struct http_fields f;
  page_begin_fields(&f, STR("Cache-Control: no-cache\r\n"));
  answer_origin(x, &f);
  page_answer_file(arg, STR("openapi.yaml"), &f);
}

bool page_moved(struct api_request *req) {
  const struct api *a = req->api;
  struct http_fields f;
  if (a->path_base.n == 0 || !str_eq(req->request->path, a->path_base)) return false;
  answer_fields(&f);
  http_fieldf(&f, STR("Location"), "%.*s/", STR_ARG(a->path_base));
  answer_empty(req->x, 308, &f);
  return true;
}
