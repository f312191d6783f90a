/* api_handlers.h - the handlers of this folder, by file; routes.c says which route each one serves. Playing is in
 * media/api_stream.h, event streams in events/api_event_stream.h.
 *
 * Thread rule: the exchange's loop. */
#pragma once

#include "api/request/api_request.h"

api_handler api_call_webhook, api_recording_webhook;                 /* api_webhooks.c */
api_handler api_list_calls, api_get_call;                            /* api_calls.c */
api_handler api_list_audit, api_export_audit;                        /* api_audit_list.c */
api_handler api_export_calls;                                        /* api_calls_csv.c */
api_handler api_patch_call;                                          /* api_calls_patch.c */
api_handler api_recording_status;                                    /* api_status.c */
api_handler api_prepare, api_retry, api_retry_all;                   /* api_recordings.c */
api_handler api_delete_recording;                                    /* api_removal.c */
api_handler api_hold_recording, api_unhold_recording;                /* api_holds.c */
api_handler api_hold_call, api_unhold_call;                          /* api_holds.c */
api_handler api_list_holds, api_hold_number, api_remove_hold;        /* api_holds.c */
api_handler api_delete_call, api_erase_number, api_get_erasure;      /* api_erasure.c */
api_handler api_sign_url;                                            /* api_sign_url.c */
api_handler api_list_keys, api_make_key, api_revoke_key;             /* api_keys.c */
api_handler api_make_signin_link;                                    /* api_keys.c */
api_handler api_setup;                                               /* api_setup.c */
api_handler api_get_business, api_patch_business;                    /* api_business.c */
api_handler api_list_urls, api_end_url, api_end_urls;                /* api_urls.c */
api_handler api_list_sessions, api_end_session_id, api_end_sessions; /* api_sessions.c */
api_handler api_make_session, api_get_session, api_end_session;      /* api_session.c */
api_handler api_signin, api_signin_use;                              /* api_signin.c */
api_handler api_list_notes, api_add_note;                            /* api_notes.c */
api_handler api_edit_note, api_delete_note;                          /* api_notes.c */
api_handler api_get_transcript;                                      /* api_transcripts.c */
api_handler api_put_transcript, api_transcribe;                      /* api_transcripts_write.c */
api_handler api_card;                                                /* api_card.c */
api_handler api_waveform;                                            /* api_waveform.c */
api_handler api_stats;                                               /* api_stats.c */
api_handler api_healthz, api_readyz;                                 /* api_health.c */
api_handler api_metrics;                                             /* api_metrics.c */
api_handler api_page, api_embed_page, api_asset, api_icon;           /* api_page.c */
api_handler api_page_calls;                                          /* api_page.c */
api_handler api_player_script, api_description;                      /* api_page.c */

/* api_metrics.c: the requests of the server that api_admin_app describes. arg: struct api. */
void api_admin_request(void *arg, struct http_exchange *x);
/* api_webhooks.c. Checks what the head of the request shows. at_head: its body is not here yet. OK: the handler may run.
 * ERR_NOT_YET: the business must be looked up, once the body is here; req->lacks is set. ERR_DENIED: it was answered: 415, 401
 * (no signature), 404. */
CHECKED enum err webhook_admit(struct api_request *req, bool at_head);
/* api_page.c. True: a browser asked for a path that does not exist, and 404 was answered with the page. path: below the base. */
CHECKED bool page_lost(struct api_request *req, struct str path);
/* api_page.c. True: the path is that of PUBLIC_BASE_URL without the '/' behind it, and it was redirected to the page. */
CHECKED bool page_moved(struct api_request *req);
/* api_page.c. Answers 308 to a path below the base, with a query or an empty one. */
void page_redirect(struct api_request *req, struct str path, struct str query);
