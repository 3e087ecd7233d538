/*
 * curl.h - libcurl, loaded when the first request is made.
 *
 * libcurl brings 27 libraries with it. Loading them takes as long as everything else that a preview
 * of a short list does, and most runs make no request. So its functions are looked up here once, and
 * the rest of core/http calls them by their own names.
 */
#ifndef DAS_HTTP_CURL_H
#define DAS_HTTP_CURL_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#undef curl_easy_setopt
#undef curl_easy_getinfo

#include "core/base/err.h"

#define DAS_CURL_FUNCTIONS(X)                                                                      \
    X(curl_easy_cleanup) X(curl_easy_getinfo) X(curl_easy_init) X(curl_easy_perform)               \
    X(curl_easy_reset)                                                                             \
    X(curl_easy_setopt) X(curl_easy_strerror) X(curl_free) X(curl_global_init)                     \
    X(curl_multi_add_handle) X(curl_multi_cleanup) X(curl_multi_info_read) X(curl_multi_init)      \
    X(curl_multi_perform) X(curl_multi_poll) X(curl_multi_remove_handle) X(curl_slist_append)      \
    X(curl_slist_free_all) X(curl_url) X(curl_url_cleanup) X(curl_url_dup) X(curl_url_get)         \
    X(curl_url_set) X(curl_url_strerror)

#define DAS_CURL_POINTER(name) __typeof__(name) *name##_;
struct das_curl {
    DAS_CURL_FUNCTIONS(DAS_CURL_POINTER)
};
extern struct das_curl das_curl;

/* Before any of the functions, from any thread. DAS_E_UNSUPPORTED when there is no libcurl. */
int das_curl_load(struct das_err *err);

#ifndef DAS_CURL_LOADER
#define curl_easy_cleanup das_curl.curl_easy_cleanup_
#define curl_easy_getinfo das_curl.curl_easy_getinfo_
#define curl_easy_init das_curl.curl_easy_init_
#define curl_easy_perform das_curl.curl_easy_perform_
#define curl_easy_reset das_curl.curl_easy_reset_
#define curl_easy_setopt das_curl.curl_easy_setopt_
#define curl_easy_strerror das_curl.curl_easy_strerror_
#define curl_free das_curl.curl_free_
#define curl_global_init das_curl.curl_global_init_
#define curl_multi_add_handle das_curl.curl_multi_add_handle_
#define curl_multi_cleanup das_curl.curl_multi_cleanup_
#define curl_multi_info_read das_curl.curl_multi_info_read_
#define curl_multi_init das_curl.curl_multi_init_
#define curl_multi_perform das_curl.curl_multi_perform_
#define curl_multi_poll das_curl.curl_multi_poll_
#define curl_multi_remove_handle das_curl.curl_multi_remove_handle_
#define curl_slist_append das_curl.curl_slist_append_
#define curl_slist_free_all das_curl.curl_slist_free_all_
#define curl_url das_curl.curl_url_
#define curl_url_cleanup das_curl.curl_url_cleanup_
#define curl_url_dup das_curl.curl_url_dup_
#define curl_url_get das_curl.curl_url_get_
#define curl_url_set das_curl.curl_url_set_
#define curl_url_strerror das_curl.curl_url_strerror_
#endif

#endif
