/* who.c - which person uses the program (see cli.h). */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/cli/cli.h"

static bool name_of(uid_t uid, char *out, size_t size)
{
    char room[4096];
    struct passwd entry, *found = NULL;

    if (getpwuid_r(uid, &entry, room, sizeof room, &found) != 0 || !found || !found->pw_name[0])
        return false;
    snprintf(out, size, "%s", found->pw_name);
    return true;
}

/* Root may be anybody: sudo, and the login that it came from, tell who. Nobody else is believed
 * about the variable, since a user can set it. */
void das_who(char *out, size_t size)
{
    const char *sudo = geteuid() == 0 ? getenv("SUDO_UID") : NULL;
    int64_t uid;

    if (sudo && das_parse_int(das_text_of(sudo), &uid) && uid >= 0 && uid < UINT32_MAX &&
        name_of((uid_t)uid, out, size))
        return;
    if (getlogin_r(out, size) == 0 && out[0])
        return;
    if (!name_of(getuid(), out, size))
        snprintf(out, size, "uid %lu", (unsigned long)getuid());
}
