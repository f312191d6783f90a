/* routes.c - the whole HTTP surface. GET rows serve HEAD too; the most asked for come first. */
#include "api/routes.h"

#include "api/events/api_event_stream.h"
#include "api/handlers/api_handlers.h"
#include "api/media/api_stream.h"

const struct http_route api_routes[] = {
    {HTTP_GET, "/api/recordings/{id}/stream", BODY_MAX, ROUTE_MEDIA, api_stream},
    {HTTP_GET, "/api/recordings/{id}/status", BODY_MAX, ROUTE_VIEWER, api_recording_status},
    {HTTP_GET, "/api/recordings/file/{id}", BODY_MAX, ROUTE_MEDIA, api_stream},
    {HTTP_POST, "/webhooks/twilio/{business_id}/call", BODY_MAX, ROUTE_OPEN | ROUTE_WEBHOOK, api_call_webhook},
    {HTTP_POST, "/webhooks/twilio/{business_id}/recording", BODY_MAX, ROUTE_OPEN | ROUTE_WEBHOOK,
     api_recording_webhook},
    {HTTP_GET, "/api/calls", BODY_MAX, ROUTE_VIEWER, api_list_calls},
    {HTTP_GET, "/api/calls/{call_sid}", BODY_MAX, ROUTE_VIEWER, api_get_call},
    {HTTP_PATCH, "/api/calls/{call_sid}", BODY_MAX, ROUTE_AGENT | ROUTE_TAKES_PATCH, api_patch_call},
    {HTTP_GET, "/api/calls/{call_sid}/download", BODY_MAX, ROUTE_MEDIA, api_call_download},
    {HTTP_GET, "/api/calls/download/{call_sid}", BODY_MAX, ROUTE_MEDIA, api_call_download},
    {HTTP_GET, "/api/recordings/{id}/download", BODY_MAX, ROUTE_MEDIA, api_download},
    {HTTP_GET, "/api/recordings/{id}/waveform", BODY_MAX, ROUTE_MEDIA, api_waveform},
    {HTTP_POST, "/api/recordings/{id}/prepare", BODY_MAX, ROUTE_VIEWER, api_prepare},
    {HTTP_POST, "/api/recordings/{id}/retry", BODY_MAX, ROUTE_AGENT, api_retry},
    {HTTP_POST, "/api/recordings/retry", BODY_MAX, ROUTE_ADMIN, api_retry_all},
    {HTTP_POST, "/api/recordings/{id}/url", BODY_MAX, ROUTE_AGENT, api_sign_url},
    {HTTP_GET, "/api/urls", BODY_MAX, ROUTE_ADMIN, api_list_urls},
    {HTTP_DELETE, "/api/urls", BODY_MAX, ROUTE_ADMIN, api_end_urls},
    {HTTP_DELETE, "/api/urls/{url_id}", BODY_MAX, ROUTE_ADMIN, api_end_url},
    {HTTP_GET, "/api/events", BODY_MAX, ROUTE_VIEWER, api_events},
    {HTTP_GET, "/api/stats", BODY_MAX, ROUTE_ADMIN, api_stats},
    {HTTP_POST, "/api/session", BODY_MAX, ROUTE_VIEWER | ROUTE_NO_PLATFORM, api_make_session},
    {HTTP_GET, "/api/session", BODY_MAX, ROUTE_VIEWER, api_get_session},
    {HTTP_DELETE, "/api/session", BODY_MAX, ROUTE_VIEWER, api_end_session},
    {HTTP_GET, "/signin", BODY_MAX, ROUTE_ANYBODY, api_signin},
    {HTTP_POST, "/signin", BODY_MAX, ROUTE_ANYBODY, api_signin_use},
    {HTTP_GET, "/api/openapi.yaml", BODY_MAX, ROUTE_ANYBODY, api_description},
    {HTTP_GET, "/", BODY_MAX, ROUTE_ANYBODY, api_page},
    {HTTP_GET, "/calls", BODY_MAX, ROUTE_ANYBODY, api_page_calls},
    {HTTP_GET, "/calls/{call_sid}", BODY_MAX, ROUTE_ANYBODY, api_page},
    {HTTP_GET, "/health", BODY_MAX, ROUTE_ANYBODY, api_page},
    {HTTP_GET, "/signed-out", BODY_MAX, ROUTE_ANYBODY, api_page},
    {HTTP_GET, "/assets/{name}", BODY_MAX, ROUTE_ANYBODY, api_asset},
    {HTTP_GET, "/favicon.svg", BODY_MAX, ROUTE_ANYBODY, api_icon},
    {HTTP_GET, "/embed/{recording_sid}", BODY_MAX, ROUTE_ANYBODY, api_embed_page},
    {HTTP_GET, "/callreel-player.js", BODY_MAX, ROUTE_ANYBODY, api_player_script},
    {HTTP_GET, "/healthz", BODY_MAX, ROUTE_OPEN | ROUTE_HEALTH, api_healthz},
    {HTTP_GET, "/readyz", BODY_MAX, ROUTE_OPEN | ROUTE_HEALTH, api_readyz},
    {HTTP_GET, "/metrics", BODY_MAX, ROUTE_OPEN | ROUTE_HEALTH, api_metrics},
};
const size_t api_route_count = COUNT_OF(api_routes);
