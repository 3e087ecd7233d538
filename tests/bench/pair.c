/*
 * pair.c - runs two commands in turn, A B A B ..., and prints how they compare.
 *
 *     pair N  COMMAND_A...  --vs  COMMAND_B...
 *
 * One line: median wall ratio A/B, median processor ratio, median wall of each in ms, and the
 * largest memory of each in KB. Their output goes to /dev/null. The first pair does not count.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct figures {
    double wall, cpu; /* s */
    long rss;         /* KB */
};

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct figures run(char **argv)
{
    struct figures f;
    struct rusage ru;
    double start = now();
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &ru) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) == 127) {
        fprintf(stderr, "pair: %s did not run\n", argv[0]);
        exit(1);
    }
    f.wall = now() - start;
    f.cpu = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
            (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
    f.rss = ru.ru_maxrss;
    return f;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}

#define PAIRS_MAX 101

int main(int argc, char **argv)
{
    double wall[PAIRS_MAX], cpu[PAIRS_MAX], wall_a[PAIRS_MAX], wall_b[PAIRS_MAX];
    long rss_a = 0, rss_b = 0;
    int n = argc > 3 ? atoi(argv[1]) : 0, at = 2;

    while (at < argc && strcmp(argv[at], "--vs") != 0)
        at++;
    if (n < 1 || n > PAIRS_MAX || at + 1 >= argc || at == 2) {
        fprintf(stderr, "usage: pair N A... --vs B...\n");
        return 2;
    }
    argv[at] = NULL;
    for (int i = -1; i < n; i++) {
        struct figures a = run(argv + 2), b = run(argv + at + 1);
        if (i < 0)
            continue;
        wall_a[i] = a.wall * 1e3;
        wall_b[i] = b.wall * 1e3;
        wall[i] = a.wall / b.wall;
        cpu[i] = b.cpu > 0 ? a.cpu / b.cpu : 0;
        rss_a = a.rss > rss_a ? a.rss : rss_a;
        rss_b = b.rss > rss_b ? b.rss : rss_b;
    }
    printf("%.4f %.4f %.2f %.2f %ld %ld\n", median(wall, n), median(cpu, n), median(wall_a, n),
           median(wall_b, n), rss_a, rss_b);
    return 0;
}
