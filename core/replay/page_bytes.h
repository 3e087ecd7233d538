/* page_bytes.h - the compiled-in page; the Makefile makes it of core/replay/page/. */
#ifndef DAS_REPLAY_PAGE_BYTES_H
#define DAS_REPLAY_PAGE_BYTES_H

#include <stddef.h>

/* The page before the place of its data, and after it. */
extern const char das_page_head[];
extern const size_t das_page_head_size;
extern const char das_page_tail[];
extern const size_t das_page_tail_size;

#endif
