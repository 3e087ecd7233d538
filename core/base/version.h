/* version.h - the version of the program, in one place. */
#ifndef DAS_BASE_VERSION_H
#define DAS_BASE_VERSION_H

#define DAS_VERSION "0.1.0"

#endif
