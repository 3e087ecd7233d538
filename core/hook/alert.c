/* alert.c - alerts of several platforms in one form (see ask.h). */
#include <string.h>

#include "core/hook/ask.h"

#define ALERTS_MAX 200

static int put(json_t *to, const char *key, json_t *value)
{
    if (!value)
        return 0; /* it has none */
    return json_object_set_new(to, key, value);
}

static json_t *text_of(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return json_is_string(v) && json_string_length(v) ? json_incref((json_t *)(uintptr_t)v) : NULL;
}

static json_t *object_of(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return json_is_object(v) ? json_incref((json_t *)(uintptr_t)v) : json_object();
}

/* The first of the keys that is there. */
static json_t *first_of(const json_t *o, const char *a, const char *b, const char *c)
{
    json_t *v = text_of(o, a);

    if (!v && b)
        v = text_of(o, b);
    return !v && c ? text_of(o, c) : v;
}

/* --- alertmanager, grafana -------------------------------------------------------------------- */

static json_t *one(const json_t *from)
{
    const json_t *labels = json_object_get(from, "labels");
    const json_t *notes = json_object_get(from, "annotations");
    json_t *to = json_object();

    if (!to || put(to, "name", text_of(labels, "alertname")) < 0 ||
        put(to, "status", text_of(from, "status")) < 0 ||
        put(to, "severity", text_of(labels, "severity")) < 0 ||
        put(to, "instance", first_of(labels, "das_instance", "instance", "instance_name")) < 0 ||
        put(to, "summary", first_of(notes, "summary", "description", "message")) < 0 ||
        put(to, "labels", object_of(from, "labels")) < 0 ||
        put(to, "annotations", object_of(from, "annotations")) < 0 ||
        put(to, "starts_at", text_of(from, "startsAt")) < 0 ||
        put(to, "ends_at", text_of(from, "endsAt")) < 0 ||
        put(to, "url", text_of(from, "generatorURL")) < 0 ||
        put(to, "key", text_of(from, "fingerprint")) < 0) {
        json_decref(to);
        return NULL;
    }
    return to;
}

/* cut: how many had no room. */
static int many(const json_t *body, const bool *fresh, size_t fresh_count, json_t *list,
                json_int_t *cut)
{
    const json_t *alerts = json_object_get(body, "alerts"), *a;
    size_t i;

    json_array_foreach(alerts, i, a)
    {
        if (fresh && i < fresh_count && !fresh[i])
            continue;
        if (json_array_size(list) >= ALERTS_MAX)
            ++*cut;
        else if (json_array_append_new(list, one(a)) < 0)
            return -1;
    }
    return 0;
}

static json_t *prometheus(const char *source, const json_t *body, const bool *fresh,
                          size_t fresh_count)
{
    json_t *to = json_object(), *list = json_array();
    json_int_t cut = json_integer_value(json_object_get(body, "truncatedAlerts"));

    cut = cut > 0 && cut < INT32_MAX ? cut : 0;
    if (!to || !list || many(body, fresh, fresh_count, list, &cut) < 0 ||
        put(to, "source", json_string(source)) < 0 ||
        put(to, "status", text_of(body, "status")) < 0 ||
        put(to, "receiver", text_of(body, "receiver")) < 0 ||
        put(to, "key", text_of(body, "groupKey")) < 0 ||
        put(to, "title", text_of(body, "title")) < 0 ||
        put(to, "url", text_of(body, "externalURL")) < 0 ||
        put(to, "truncated", json_integer(cut)) < 0 ||
        json_object_set(to, "alerts", list) < 0) {
        json_decref(list);
        json_decref(to);
        return NULL;
    }
    json_decref(list);
    return to;
}

/* --- pagerduty -------------------------------------------------------------------------------- */

static json_t *pagerduty(const json_t *body)
{
    const json_t *event = json_object_get(body, "event"), *data = json_object_get(event, "data");
    const char *type = json_string_value(json_object_get(event, "event_type"));
    const char *status = type && strstr(type, ".resolved") ? "resolved" : "firing";
    const json_t *service = json_object_get(data, "service");
    json_t *to = json_object(), *list = json_array(), *a = json_object();

    if (!to || !list || !a || put(to, "source", json_string("pagerduty")) < 0 ||
        put(to, "status", json_string(status)) < 0 ||
        put(to, "title", text_of(data, "title")) < 0 ||
        put(to, "url", text_of(data, "html_url")) < 0 || put(to, "key", text_of(data, "id")) < 0 ||
        put(to, "event", text_of(event, "event_type")) < 0 ||
        put(a, "name", text_of(data, "title")) < 0 || put(a, "status", json_string(status)) < 0 ||
        put(a, "severity", text_of(data, "urgency")) < 0 ||
        put(a, "summary", text_of(data, "title")) < 0 ||
        put(a, "service", text_of(service, "summary")) < 0 ||
        put(a, "starts_at", text_of(event, "occurred_at")) < 0 ||
        put(a, "url", text_of(data, "html_url")) < 0 || put(a, "key", text_of(data, "id")) < 0 ||
        put(a, "labels", json_object()) < 0 || put(a, "annotations", json_object()) < 0 ||
        json_array_append(list, a) < 0 || json_object_set(to, "alerts", list) < 0) {
        json_decref(to);
        to = NULL;
    }
    json_decref(list);
    json_decref(a);
    return to;
}

json_t *das_hook_alert(enum das_hook_platform p, const json_t *body, const bool *fresh,
                       size_t fresh_count, struct das_err *err)
{
    json_t *to = NULL;

    das_fail(err, DAS_E_DATA, "body: no alerts");
    if (p == DAS_HOOK_PAGERDUTY && json_is_object(json_object_get(body, "event")))
        to = pagerduty(body);
    else if (p != DAS_HOOK_PAGERDUTY && json_is_array(json_object_get(body, "alerts")))
        to = prometheus(das_hook_platforms[p].name, body, fresh, fresh_count);
    else
        return NULL;
    if (!to)
        das_fail_nomem(err);
    return to;
}
