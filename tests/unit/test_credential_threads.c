/*
 * test_credential_threads.c - one credential for 16 threads: IAM is asked once, a failure is told
 * to all that waited, and who gives up is nobody else's trouble.
 */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "tests/unit/iam_server.h"

#define THREADS 16

static struct das_credential *shared;
static struct das_cloud_key *stale; /* refused by all, when there is one */
static bool for_projects;

struct guest {
    pthread_t thread;
    struct das_patience patience;
    atomic_int asked;     /* how often its patience was */
    atomic_bool gives_up; /* it has none any more */
    int rc;
    char got[sizeof err.msg];
    enum das_code code;
};

static int64_t guest_left(void *arg)
{
    struct guest *g = arg;

    atomic_fetch_add(&g->asked, 1);
    return atomic_load(&g->gives_up) ? 0 : INT64_MAX;
}

static void *guest_main(void *arg)
{
    struct guest *g = arg;
    struct das_err e = {0};
    struct das_cloud_key *k = NULL;

    if (stale)
        das_credential_refused(shared, stale);
    if (for_projects) {
        g->rc = das_credential_project(shared, REGION, &g->patience, g->got, &e);
    } else {
        g->rc = das_credential_get(shared, REGION, NULL, &g->patience, &k, &e);
        if (g->rc == 0)
            memcpy(g->got, k->token.ptr, k->token.len + 1);
        das_cloud_key_release(k);
    }
    if (g->rc < 0)
        memcpy(g->got, e.msg, sizeof e.msg);
    g->code = e.code;
    return NULL;
}

static void invite(struct guest *g)
{
    memset(g, 0, sizeof *g);
    g->patience = (struct das_patience){guest_left, g};
    must(pthread_create(&g->thread, NULL, guest_main, g) == 0, "a thread");
}

/* All of them ask while IAM holds its answer back, and all but one of them wait for it: the one
 * that asks IAM is asked for its patience, too. */
static void all_at_once(struct guest *guests)
{
    iam_hold(1);
    for (int i = 0; i < THREADS; i++)
        invite(&guests[i]);
    for (int i = 0; i < THREADS; i++) {
        while (!atomic_load(&guests[i].asked))
            sched_yield();
    }
    iam_hold(0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(guests[i].thread, NULL);
}

static int how_many(const struct guest *guests, int rc, const char *got)
{
    int n = 0;

    for (int i = 0; i < THREADS; i++)
        n += guests[i].rc == rc && strcmp(guests[i].got, got) == 0;
    return n;
}

static void single_flight(void)
{
    static struct guest guests[THREADS];
    struct das_credential_conf conf = password_conf();

    shared = credential(&conf);
    iam_answers(token("s3cret-t1", 86400, PROJECT), token("s3cret-t2", 86400, PROJECT), NULL);
    all_at_once(guests);
    is_int(how_many(guests, 0, "s3cret-t1"), THREADS, "16 threads get one token");
    is_int(iam_requests(), 1, "that IAM was asked for once");

    stale = hold(shared);
    iam_answers(token("s3cret-t2", 86400, PROJECT), token("s3cret-t3", 86400, PROJECT), NULL);
    iam_hold(0);
    for (int i = 0; i < THREADS; i++)
        invite(&guests[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(guests[i].thread, NULL);
    is_int(how_many(guests, 0, "s3cret-t2"), THREADS, "it is refused to all: they get another");
    is_int(iam_requests(), 1, "that IAM was asked for once");
    das_cloud_key_release(stale);
    stale = NULL;
    das_credential_free(shared);

    shared = credential(&conf);
    iam_answers(error("401 Unauthorized", "", "no"), token("s3cret-t1", 86400, PROJECT), NULL);
    all_at_once(guests);
    is_int(how_many(guests, -1, guests[0].got), THREADS, "16 threads get one error");
    ok(guests[0].code == DAS_E_AUTH && strstr(guests[0].got, "HTTP 401"), "%s", guests[0].got);
    is_int(iam_requests(), 1, "that IAM was asked for once");
    das_credential_free(shared);

    shared = credential(&(struct das_credential_conf){
        .kind = DAS_CREDENTIAL_TOKEN, .token = secret_file("s3cret-x"), .iam_endpoint = iam_url});
    for_projects = true;
    iam_answers(http("200 OK", "", ONE_PROJECT), http("404 Not Found", "", ""), NULL);
    all_at_once(guests);
    is_int(how_many(guests, 0, PROJECT), THREADS, "16 threads get one project");
    is_int(iam_requests(), 1, "that IAM was asked for once");
    das_credential_free(shared);
    for_projects = false;
}

/* Who asks IAM gives up, and who waits asks instead; who waits gives up, and nobody else minds. */
static void giving_up(void)
{
    static struct guest first, second;
    struct das_credential_conf conf = password_conf();

    shared = credential(&conf);
    iam_answers(token("s3cret-t1", 86400, PROJECT), token("s3cret-t2", 86400, PROJECT), NULL);
    iam_hold(1);
    invite(&first);
    iam_wait_for(1);
    invite(&second);
    while (!atomic_load(&second.asked))
        sched_yield();
    atomic_store(&first.gives_up, true);
    pthread_join(first.thread, NULL);
    pthread_join(second.thread, NULL);
    ok(first.rc < 0 && first.code == DAS_E_TIMEOUT, "one asks and gives up: %s", first.got);
    is_str(second.got, "s3cret-t2", "the other one asks instead");
    is_int(iam_requests(), 2, "with a second request");
    iam_hold(0);
    das_credential_free(shared);

    shared = credential(&conf);
    iam_answers(token("s3cret-t1", 86400, PROJECT), NULL, NULL);
    iam_hold(1);
    invite(&first);
    iam_wait_for(1);
    invite(&second);
    atomic_store(&second.gives_up, true);
    pthread_join(second.thread, NULL);
    ok(second.rc < 0 && second.code == DAS_E_TIMEOUT, "one waits and gives up: %s", second.got);
    iam_hold(0);
    pthread_join(first.thread, NULL);
    is_str(first.got, "s3cret-t1", "the other one gets its token");
    is_int(iam_requests(), 1, "with one request");
    das_credential_free(shared);
}

static void old_meanwhile(void)
{
    static struct guest first, second;
    struct das_credential_conf conf = password_conf();

    shared = credential(&conf);
    iam_answers(token("s3cret-t1", 3590, PROJECT), token("s3cret-t2", 86400, PROJECT), NULL);
    is_str(get(shared), "s3cret-t1", "a token that ends within an hour");
    iam_hold(2);
    invite(&first);
    iam_wait_for(2);
    invite(&second);
    pthread_join(second.thread, NULL);
    is_str(second.got, "s3cret-t1", "is used while another thread renews it");
    iam_hold(0);
    pthread_join(first.thread, NULL);
    is_str(first.got, "s3cret-t2", "which gets the new one");
    is_int(iam_requests(), 2, "with one request");
    das_credential_free(shared);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* somebody gave up and is gone before the answer */
    iam_start();
    single_flight();
    giving_up();
    old_meanwhile();
    temp_clear();
    return tap_done();
}
