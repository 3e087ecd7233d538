/* interrupt.c - see interrupt.h. */
#include "core/cli/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>

/* SIGHUP: a terminal that went away. */
static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static atomic_int came; /* a handler has no other way to tell */

static void on_signal(int number)
{
    atomic_store(&came, number);
}

static void set_all(const struct sigaction *sa)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], sa, NULL);
}

const atomic_int *das_interrupt_catch(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    atomic_store(&came, 0);
    sigemptyset(&sa.sa_mask);
    set_all(&sa);
    return &came;
}

static bool has_come(void *arg)
{
    (void)arg;
    return atomic_load(&came) != 0;
}

static bool before(void *arg, const struct das_plan *p, size_t victim, const char *action,
                   char *why, size_t size)
{
    (void)p;
    (void)victim;
    (void)action;
    if (!has_come(arg))
        return true;
    snprintf(why, size, "not tried: interrupted");
    return false;
}

const struct das_apply_watch das_interrupt_watch = {.before = before, .cancelled = has_come};

void das_interrupt_leave(void)
{
    struct sigaction sa = {.sa_handler = SIG_DFL};

    sigemptyset(&sa.sa_mask);
    set_all(&sa);
}
