/*
 * fuzz_cloud.c - answers of the DAS API: any JSON, read as any of its objects.
 *
 * The first byte chooses the object. What is read points into the answer, numbers are what they can
 * be, and nothing is lost when an object is refused.
 */
#include "core/base/json.h"
#include "core/cloud/api_impl.h"

static const struct das_shape *const shapes[] = {
    &das_cloud_process_shape,   &das_cloud_task_shape,          &das_cloud_killed_shape,
    &das_cloud_trx_shape,       &das_cloud_metadata_lock_shape, &das_cloud_long_trx_shape,
    &das_cloud_instance_shape,  &das_cloud_node_shape,          &das_cloud_db_user_shape,
    &das_cloud_lock_wait_shape, &das_cloud_version_shape,
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static void check_list(const struct das_cloud_list *list);

static size_t looked; /* so that every byte is read */

static void check_item(const struct das_shape *shape, const void *item)
{
    for (size_t i = 0; i < shape->count; i++) {
        const struct das_shape_field *f = &shape->fields[i];
        const void *at = (const char *)item + f->offset;
        const struct das_text *text = at;
        int64_t number = 0;
        if (f->type == DAS_SHAPE_TEXT) {
            for (size_t k = 0; k < text->len; k++)
                looked += (unsigned char)text->ptr[k];
        } else if (f->type == DAS_SHAPE_LIST) {
            check_list(at);
        } else if (f->type == DAS_SHAPE_BOOL) {
            if (*(const int *)at < -1 || *(const int *)at > 1)
                __builtin_trap();
        } else {
            number = *(const int64_t *)at;
            if (f->required && number == DAS_CLOUD_NOT_TOLD)
                __builtin_trap();
            if (f->type == DAS_SHAPE_MS && number > 0 && number < 100000000000)
                if (number % 1000 != 0)
                    __builtin_trap();
        }
    }
}

static void check_list(const struct das_cloud_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        check_item(list->shape, das_cloud_item(list, i));
}

static void as_list(const struct das_shape *shape, json_t *json)
{
    struct das_cloud_answer a = {0};
    struct das_err err = {0};

    if (das_api_list(&a, shape, json, "l", "n", &err) == 0)
        check_list(&a.list);
    else if (err.code != DAS_E_DATA || !err.msg[0])
        __builtin_trap();
    das_cloud_answer_clear(&a);
}

static void as_preview(json_t *json)
{
    struct das_cloud_preview p = {0};
    struct das_err err = {0};

    if (das_api_preview(&p, json, &err) == 0) {
        check_list(&p.processes.list);
        if (p.processes.total < (int64_t)p.processes.list.count)
            __builtin_trap();
    } else if (err.code != DAS_E_DATA || !err.msg[0]) {
        __builtin_trap();
    }
    das_cloud_preview_clear(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct das_err err;
    json_t *json;

    if (size < 1)
        return 0;
    json = das_json_parse((const char *)data + 1, size - 1, NULL, &err);
    if (!json)
        return 0;
    if (data[0] % (SHAPES + 1) == SHAPES)
        as_preview(json);
    else
        as_list(shapes[data[0] % (SHAPES + 1)], json);
    return 0;
}
