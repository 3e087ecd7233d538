/*
 * sign.h - the signatures of Huawei Cloud's API gateway, SDK-HMAC-SHA256 and V11-HMAC-SHA256, for
 * the side that sends a request and for the side that receives it.
 *
 * Owns what is signed: the canonical form of a request, byte by byte as the vendor's SDKs write it.
 * Sends nothing, reads no clock and keeps no list of keys or of signatures seen: whether a date is
 * too far from now and whether a signature came before is the caller's to judge.
 *
 * A signature cannot tell "/a" from "/a/", nor one order of the query from another; a body that is
 * sent as UNSIGNED-PAYLOAD is not covered at all. What else could be read in two ways (a header
 * that is there twice, "%2F" and dot segments in a path) is refused on both sides.
 */
#ifndef DAS_CLOUD_SIGN_H
#define DAS_CLOUD_SIGN_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/text.h"

enum das_sign_algorithm { DAS_SDK_HMAC_SHA256, DAS_V11_HMAC_SHA256 };

struct das_sign_pair {
    struct das_text name, value;
};

/* All of it is borrowed, and as it is meant: nothing is percent-encoded yet, or any more. */
struct das_sign_request {
    struct das_text method;            /* capital letters */
    struct das_text path;              /* "/v3/..."; "" is "/" */
    const struct das_sign_pair *query; /* in any order; names may repeat */
    size_t query_count;
    const struct das_sign_pair *headers; /* names in any case */
    size_t header_count;
    struct das_text body;
};

/* The one header of that name, in any case, without the blanks around it; NULL text when there is
 * none or more than one. */
struct das_text das_sign_header(const struct das_sign_request *r, const char *name);

/* --- the key ---------------------------------------------------------------------------------- */

struct das_sign_key {
    enum das_sign_algorithm algorithm; /* of das_sign(); verifying takes what the request says */
    struct das_text access;
    struct das_text secret;
    struct das_text region, service; /* for V11 */
};

struct das_signer; /* of one key; for one thread at a time */

/* Borrows all texts of the key: they outlive the signer (a vault keeps secrets well). DAS_E_USAGE
 * naming the part that cannot be: empty, too long, a blank, a comma or a slash in it. */
struct das_signer *das_signer_new(const struct das_sign_key *key, struct das_err *err);
void das_signer_free(struct das_signer *s); /* what was derived is wiped */
/* What the last call hashed, for tests and to find out why a signature is refused. It holds the
 * values of headers, X-Security-Token too. */
struct das_text das_signer_canonical(const struct das_signer *s);

/* --- sending ---------------------------------------------------------------------------------- */

#define DAS_SIGN_DATE_LEN 16 /* 20060102T150405Z */

/* The headers that make a request a signed one. Starts as {0} and can be used again and again. */
struct das_signed {
    char date[DAS_SIGN_DATE_LEN + 1]; /* X-Sdk-Date */
    struct das_buf authorization;     /* Authorization */
};
void das_signed_clear(struct das_signed *out);

/* Signs all headers of the request but Authorization and those with a "_" in their name, which
 * gateways drop; so X-Project-Id, X-Domain-Id and X-Security-Token have to be among them already,
 * and Host when it shall be signed. X-Sdk-Date is added here. X-Sdk-Content-Sha256, where given,
 * is UNSIGNED-PAYLOAD or the hash of the body. After the first call of its size nothing is
 * allocated. DAS_E_USAGE naming the part that is wrong. */
int das_sign(struct das_signer *s, const struct das_sign_request *r, int64_t unix_s,
             struct das_signed *out, struct das_err *err);

/* Appends the path and query as they go over the wire. */
void das_sign_target_write(const struct das_sign_request *r, struct das_buf *b);

/* --- receiving -------------------------------------------------------------------------------- */

/* A request's target taken apart; starts as {0}. */
struct das_sign_target {
    struct das_text path; /* of bytes, as are the names and values */
    struct das_sign_pair *query;
    size_t count, cap;
    struct das_buf bytes;
};

/* "/path?a=b&c". A "+" in the query is a blank. DAS_E_DATA on what is no target. */
int das_sign_target_read(struct das_sign_target *t, struct das_text wire, struct das_err *err);
void das_sign_target_clear(struct das_sign_target *t);

/* What a request says about its signature, borrowed from it. */
struct das_sign_auth {
    enum das_sign_algorithm algorithm;
    struct das_text access;
    struct das_text info; /* V11: DATE/REGION/SERVICE, and its parts */
    struct das_text day, region, service;
    struct das_text headers;   /* names, joined by ";": lower case, sorted, each once */
    struct das_text signature; /* 64 digits: what a memory against replays keeps */
    struct das_text date;      /* X-Sdk-Date, and what it says */
    int64_t time;
    bool body_unsigned; /* the body could be anybody's */
};

/* The value of an Authorization header alone: all but date, time and body_unsigned. DAS_E_DATA
 * naming the part that is wrong. */
int das_sign_parse(struct das_text value, struct das_sign_auth *a, struct das_err *err);
/* All of it. Besides: X-Sdk-Date is there once and signed, V11's day is its day, and X-Project-Id,
 * X-Domain-Id and X-Security-Token are signed where they are there (else DAS_E_AUTH). */
int das_sign_read(const struct das_sign_request *r, struct das_sign_auth *a, struct das_err *err);

/* Was the request, with the headers that a names, signed with the secret of s? a is what
 * das_sign_read() made of the same request; s is the signer of a->access, whatever its algorithm.
 * DAS_E_AUTH when it was not; DAS_E_DATA when the request cannot have been. */
int das_sign_verify(struct das_signer *s, const struct das_sign_request *r,
                    const struct das_sign_auth *a, struct das_err *err);

#endif
