/* api_impl.h - what the files of typed calls share. Stays in core/cloud. */
#ifndef DAS_CLOUD_API_IMPL_H
#define DAS_CLOUD_API_IMPL_H

#include "core/cloud/api.h"

#define DAS_AUTO_FLOW "/v3/{project_id}/instances/{instance_id}/auto-flow/"

/* Query parameters of one request: texts are borrowed, numbers kept here. */
#define DAS_PARAMS_MAX 10
struct das_params {
    struct das_sign_pair pairs[DAS_PARAMS_MAX];
    char numbers[DAS_PARAMS_MAX][24];
    size_t count;
};
void das_params_text(struct das_params *p, const char *name, const char *value); /* NULL: not said */
void das_params_int(struct das_params *p, const char *name, int64_t value);

/* Performs ask with these parameters (NULL: none). */
int das_api_get(struct das_cloud *c, const struct das_cloud_place *place, struct das_cloud_ask *ask,
                const struct das_params *params, struct das_cloud_call *call, json_t **json,
                struct das_err *err);
/* Reads the list that the answer has under name, and the total under total (NULL: it has none). The
 * answer has to be an object. What is read belongs to out, which takes json in any case. */
int das_api_list(struct das_cloud_answer *out, const struct das_shape *shape, json_t *json,
                 const char *name, const char *total, struct das_err *err);
/* The answer to a preview; out is {0} before, and takes json in any case. */
int das_api_preview(struct das_cloud_preview *out, json_t *json, struct das_err *err);
/* A whole number of the answer; DAS_CLOUD_NOT_TOLD when it is not there. -1: of another type. */
int das_api_int(const json_t *json, const char *name, int64_t *out, struct das_err *err);

/* The answer to a write: -1 when it says "success": false. */
int das_api_success(const json_t *json, struct das_err *err);

#endif
