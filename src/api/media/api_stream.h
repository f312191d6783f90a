/* api_stream.h - the handlers that give audio: GET and HEAD of a stream or a download.
 *
 * Thread rule: the exchange's loop. */
#pragma once

#include "api/request/api_request.h"

api_handler api_stream, api_download, api_call_download;
