/* api_page.c - the web page, its assets, the embeddable player, and the OpenAPI description.
 *
 * Invariants
 *  (1) routes.c lists every path of the page. Any other path is 404; a browser gets it with the page, which says so.
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

static void page_html_fields(const struct api_request *req, struct http_fields *f) {
  http_fieldf(f, STR("Content-Security-Policy"),
              "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
              "media-src 'self' blob:; connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'self'; "
              "form-action 'self'; frame-ancestors %s",
              origins_frame_ancestors(req->api->origins)); /* (2) */
}

static void page_answer_html(struct api_request *req, struct str name) {
  struct http_fields f;
  page_begin_fields(&f, STR("Cache-Control: no-cache\r\n"));
  page_html_fields(req, &f);
  page_answer_file(req, name, &f);
}

bool page_lost(struct api_request *req, struct str path) {
  const struct http_request *r = req->request;
  const struct http_static_file *file = page_file(req->api->page, STR("index.html"));
  struct http_fields f;
  bool is_person = (r->method == HTTP_GET || r->method == HTTP_HEAD) &&
                   str_contains(http_header_get(r, STR("Accept")), STR("text/html"));
  if (!is_person || !file || str_starts(path, STR("/api/")) || str_starts(path, STR("/webhooks/")) ||
      str_starts(path, STR("/assets/")))
    return false;
  answer_fields(&f);
  page_html_fields(req, &f);
  http_static_answer_error(req->x, file, 404, &f);
  return true;
}

void api_page_calls(void *arg, struct http_exchange *x) {
  const struct api_request *req = arg;
  struct http_fields f;
  answer_fields(&f);
  http_fieldf(&f, STR("Location"), "%.*s/", STR_ARG(req->api->path_base));
  answer_empty(x, 302, &f);
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

void page_redirect(struct api_request *req, struct str path, struct str query) {
  struct http_fields f;
  answer_fields(&f);
  http_fieldf(&f, STR("Location"), "%.*s%.*s%s%.*s", STR_ARG(req->api->path_base), STR_ARG(path), query.n ? "?" : "",
              STR_ARG(query));
  answer_empty(req->x, 308, &f);
}

bool page_moved(struct api_request *req) {
  const struct api *a = req->api;
  if (a->path_base.n == 0 || !str_eq(req->request->path, a->path_base)) return false;
  page_redirect(req, STR("/"), STR_NONE);
  return true;
}
