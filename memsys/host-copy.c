/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one copy of bytes that may race with the guest or another thread, as accesses of two
 * processors do. Race detectors are kept out of this function and of nothing else.
 */
#include "memsys/tlb-access.h"

#include <string.h>

#if defined(__SANITIZE_THREAD__)
#define HOST_COPY_UNSEEN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HOST_COPY_UNSEEN 1
#endif
#endif

#ifdef HOST_COPY_UNSEEN
/* Volatile: else the compiler calls memcpy() again, which the detector watches. */
__attribute__((no_sanitize("thread"), noinline)) void pgm_host_copy(void *to, const void *from,
                                                                    size_t len)
{
    volatile uint8_t *into = to;
    const volatile uint8_t *bytes = from;

    for (size_t i = 0; i < len; i++) {
        into[i] = bytes[i];
    }
}
#else
void pgm_host_copy(void *to, const void *from, size_t len)
{
    memcpy(to, from, len);
}
#endif
