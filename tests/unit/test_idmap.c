/* test_idmap.c - numbers to numbers, against an array that is searched. */
#include "core/base/idmap.h"

#include "tests/unit/kit.h"

#define IDS 300

static uint32_t want[IDS];

/* Small ids, far ones, and ones that differ in their high bits alone. */
static int64_t id_of(size_t i)
{
    return i % 3 == 0 ? (int64_t)i : i % 3 == 1 ? -((int64_t)i << 32) : (int64_t)(i * 1000003);
}

static bool all_as_wanted(const struct das_idmap *m)
{
    size_t count = 0;

    for (size_t i = 0; i < IDS; i++) {
        count += want[i] != DAS_IDMAP_NONE;
        if (das_idmap_get(m, id_of(i)) != want[i])
            return false;
    }
    return count == m->count;
}

int main(void)
{
    uint64_t seed = kit_seed(11);
    struct das_idmap m = {0};
    bool good = true;

    ok(das_idmap_get(&m, 0) == DAS_IDMAP_NONE, "a zeroed one is empty");
    for (size_t i = 0; i < IDS; i++)
        want[i] = DAS_IDMAP_NONE;
    for (int step = 0; step < 20000 && good; step++) {
        size_t i = kit_below(step % 4000 < 2000 ? IDS : 40);
        if (kit_below(5) < 3) {
            want[i] = (uint32_t)kit_below(1000);
            good = das_idmap_put(&m, id_of(i), want[i]) == 0;
        } else {
            want[i] = DAS_IDMAP_NONE;
            das_idmap_remove(&m, id_of(i));
        }
        good = good && (step % 16 || all_as_wanted(&m));
    }
    ok(good && all_as_wanted(&m), "put and remove in any order, SEED=%llu",
       (unsigned long long)seed);
    das_idmap_reset(&m);
    ok(m.count == 0 && das_idmap_get(&m, id_of(1)) == DAS_IDMAP_NONE, "reset: empty");
    das_alloc_fail_at(1);
    for (size_t i = 0; i < IDS * 20 && das_idmap_put(&m, (int64_t)i, 1) == 0; i++)
        ;
    ok(das_alloc_failed() && das_idmap_get(&m, 0) == 1, "out of memory leaves it as it was");
    das_alloc_fail_at(0);
    das_idmap_clear(&m);
    return tap_done();
}
