/* keys.c - see keys.h. */
#include "core/hook/keys.h"

#include "core/base/mem.h"

struct das_hook_keys {
    struct das_hook_conf conf; /* points into vault and to the hook */
    struct das_vault vault;
};

static int read_list(struct das_hook_keys *k, const struct das_hook_places *from,
                     struct das_hook_list *to, struct das_err *err)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct das_secret *s = das_vault_read(&k->vault, &from->items[i], err);
        if (!s)
            return -1;
        to->items[to->count++] = das_secret_value(s);
    }
    return 0;
}

static int fill(struct das_hook_keys *k, const struct das_hook *h, struct das_err *err)
{
    struct das_hook_conf *c = &k->conf;

    c->name = h->name;
    c->platform = h->platform;
    c->user = das_text_of(h->user);
    c->receive_id = das_text_of(h->receive_id);
    c->signature_header = das_text_of(h->signature_header);
    c->timestamp_header = das_text_of(h->timestamp_header);
    c->id_header = das_text_of(h->id_header);
    c->rate = h->rate;
    c->batch = h->batch;
    c->window_s = h->window_s;
    if (h->origin_count > DAS_HOOK_LIST_MAX)
        return das_fail(err, DAS_E_CONFIG, "hooks.%s.verify.origins: expected at most %d", h->name,
                        DAS_HOOK_LIST_MAX);
    for (size_t i = 0; i < h->origin_count; i++)
        c->origins.items[c->origins.count++] = das_text_of(h->origins[i]);
    if (read_list(k, &h->secrets, &c->secrets, err) < 0 ||
        read_list(k, &h->tokens, &c->tokens, err) < 0 ||
        read_list(k, &h->encrypt_keys, &c->encrypt_keys, err) < 0 ||
        read_list(k, &h->public_keys, &c->public_keys, err) < 0 ||
        read_list(k, &h->passwords, &c->passwords, err) < 0)
        return -1;
    return das_hook_conf_check(c, err);
}

struct das_hook_keys *das_hook_keys_read(const struct das_hook *h, struct das_err *err)
{
    struct das_hook_keys *k = das_calloc(1, sizeof *k);

    if (!k) {
        das_fail_nomem(err);
        return NULL;
    }
    das_vault_init(&k->vault);
    if (fill(k, h, err) < 0) {
        das_hook_keys_free(k);
        return NULL;
    }
    return k;
}

void das_hook_keys_free(struct das_hook_keys *k)
{
    if (!k)
        return;
    das_vault_clear(&k->vault);
    das_free(k);
}

const struct das_hook_conf *das_hook_keys_conf(const struct das_hook_keys *k)
{
    return &k->conf;
}
