/* advice.c - what errors of the gateway, IAM and DAS mean to the person who has to mend them. */
#include <stdio.h>
#include <string.h>

#include "core/cloud/cloud.h"

/* By code; words: what the message has to hold besides, since one code stands for several things. */
static const struct {
    const char *code, *words, *advice;
} known[] = {
    {"DAS.200002", NULL, "DAS itself was asked too often: lower `rate` of this cloud"},
    {"DAS.200051", NULL, "check the access key, or the user and password, of this cloud"},
    {"DAS.200112", NULL, "register the database user with DAS, and name its id in db_user_id"},
    {"DAS.200113", NULL, "check the project id in das://REGION/PROJECT_ID/INSTANCE_ID"},
    {"DAS.200114", NULL, "no such instance in this project and region: check the id, das cloud "
                         "instances lists them"},
    {"DAS.220002", NULL, "DAS cannot connect to the database: check the instance's state and the "
                         "registered user's password"},
    {"DAS.220003", NULL, "register the database user with DAS again, db_user_id is gone"},
    {".0101", NULL, "this region has no such API: check region and endpoint"},
    {".0301", "aksk signature", "the secret key does not belong to the access key, or a proxy "
                                "changes requests"},
    {".0301", "token", "the token is not good any more: check user and password, or make a new one"},
    {".0301", "reach the limit", "the access key is locked for 5 minutes after 5 wrong signatures"},
    {".0301", "secretKey failed", "the access key is not known: deleted, or of another site"},
    {".0301", "timestamp", "this machine's clock is wrong: set it, 15 minutes are allowed"},
    {".0301", "expired", "this machine's clock is wrong, or the temporary keys have ended"},
    {".0301", NULL, "check the access key and secret key, or the token, and this machine's clock"},
    {".0303", NULL, "the app's key is not accepted"},
    {".0305", NULL, "the app's key is not accepted"},
    {".0307", NULL, "the token has to be made anew"},
    {".0308", NULL, "the account's requests are used up: lower `rate` of this cloud, or look less "
                    "often"},
    {".0401", NULL, "the gateway lets in certain addresses only"},
    {".0402", NULL, "the gateway lets in certain addresses only"},
    {".0404", NULL, "the gateway lets in certain addresses only"},
    {".0501", NULL, "the quota of this API is used up"},
    {".0502", NULL, "the quota of this API is used up"},
    {".0613", NULL, "IAM is not available at the moment"},
};

/* ".0301" is at the end of "APIGW.0301" and of "APIG.0301". */
static bool is_code(const char *code, const char *wanted)
{
    size_t len = strlen(code), end = strlen(wanted);

    if (wanted[0] != '.')
        return strcmp(code, wanted) == 0;
    return strncmp(code, "APIG", 4) == 0 && len > end && strcmp(code + len - end, wanted) == 0;
}

void das_cloud_advice(int status, const char *code, const char *message, const char *action,
                      char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (is_code(code, known[i].code) && (!known[i].words || strstr(message, known[i].words))) {
            snprintf(out, size, "%s", known[i].advice);
            return;
        }
    }
    if (status == 403 && action)
        snprintf(out, size, "add %s to the policy of this identity", action);
    else if (status == 401)
        snprintf(out, size, "check the keys or the token of this cloud");
    else if (status == 429)
        snprintf(out, size, "lower `rate` of this cloud");
    else if (status == 413 || status == 414)
        snprintf(out, size, "the filter is too long for the API");
}
