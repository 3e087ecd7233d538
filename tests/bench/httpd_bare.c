/*
 * httpd_bare.c - libmicrohttpd alone: reads each request to its end and answers a constant JSON
 * body, with a thread for each connection as das serve has. What das serve can be measured against.
 *
 *   httpd_bare PORT SIZE     on 127.0.0.1, SIZE bytes of body; prints "ready", runs until SIGTERM
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS 1024

static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *body,
                              size_t *body_size, void **state)
{
    static int seen;

    (void)url;
    (void)method;
    (void)version;
    (void)body;
    if (!*state) { /* the header alone */
        *state = &seen;
        return MHD_YES;
    }
    if (*body_size) {
        *body_size = 0;
        return MHD_YES;
    }
    return MHD_queue_response(c, MHD_HTTP_OK, arg);
}

/* {"body":"xxx...x"} of exactly that size. */
static char *make_body(size_t size)
{
    static const char head[] = "{\"body\":\"", tail[] = "\"}";
    char *body = malloc(size);

    if (!body)
        return NULL;
    memset(body, 'x', size);
    memcpy(body, head, sizeof head - 1);
    memcpy(body + size - (sizeof tail - 1), tail, sizeof tail - 1);
    return body;
}

int main(int argc, char **argv)
{
    const unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                           MHD_USE_POLL | MHD_USE_ITC;
    struct sockaddr_in where = {.sin_family = AF_INET};
    int port = argc == 3 ? atoi(argv[1]) : 0;
    size_t size = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    struct MHD_Response *response;
    struct MHD_Daemon *daemon;
    sigset_t end;
    char *body;
    int got;

    /* above are the ports that the kernel gives to clients, wrk's among them */
    if (port < 1 || port >= 32768 || size < 11 || size > ((size_t)64 << 20)) {
        fprintf(stderr, "httpd_bare PORT SIZE: a port below 32768, 11 bytes to 64 MB\n");
        return 2;
    }
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGINT);
    sigprocmask(SIG_BLOCK, &end, NULL);
    where.sin_port = htons((uint16_t)port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    body = make_body(size);
    response = body ? MHD_create_response_from_buffer(size, body, MHD_RESPMEM_PERSISTENT) : NULL;
    if (!response ||
        MHD_add_response_header(response, "Content-Type", "application/json") != MHD_YES)
        return 1;
    daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, response, MHD_OPTION_SOCK_ADDR, &where,
                              MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_END);
    if (!daemon) {
        fprintf(stderr, "httpd_bare: cannot listen on 127.0.0.1:%d\n", port);
        return 1;
    }
    puts("ready");
    fflush(stdout);
    sigwait(&end, &got);
    MHD_stop_daemon(daemon);
    MHD_destroy_response(response);
    free(body);
    return 0;
}
