/*
 * stop.h - turns the off switch on (guard.h asks it before each kill): writes the files that stop
 * every das. Removing them is for people (das resume).
 */
#ifndef DAS_PLAN_STOP_H
#define DAS_PLAN_STOP_H

#include "core/base/err.h"
#include "core/base/text.h"

enum das_stop_result {
    DAS_STOP_WRITTEN,
    DAS_STOP_ALREADY, /* it was on, and stays with the reason of whoever was first */
    DAS_STOP_NOWHERE, /* this machine does not have that place */
    DAS_STOP_FAILED,  /* and err says why */
};
/* Writes line (with its newline) to path, ".../STOP"; where only an empty file can be written, that
 * is as good, and err has the reason although it is DAS_STOP_WRITTEN; else err->code is 0. */
enum das_stop_result das_stop_write(const char *path, struct das_text line, struct das_err *err);

#endif
