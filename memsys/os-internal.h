/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the memory system asks of the host, as a table of functions, so that a test can make each of
 * them fail. All lengths are bytes and multiples of a page.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum MemOsAccess { MEM_OS_NONE, MEM_OS_READ, MEM_OS_READ_WRITE } MemOsAccess;

typedef struct MemOs {
    /* Address space without access and without memory; NULL on failure. */
    void *(*reserve)(size_t len);
    /* Zeros that may be written at once and cost memory only where touched; NULL on failure. */
    void *(*map_zeros)(size_t len);
    bool (*protect)(void *addr, size_t len, MemOsAccess access);
    /* Gives the memory back; the pages then read as zeros. */
    bool (*discard)(void *addr, size_t len);
    void (*unmap)(void *addr, size_t len);
    /* Zeroed heap memory of a size a guest or a user has chosen; NULL on failure. */
    void *(*try_alloc0)(size_t len);
    void (*free)(void *ptr);
    /* Bytes the host could give to new work right now; 0 if it does not say. */
    uint64_t (*available_memory)(void);
    /* Largest address range worth reserving: less under valgrind and ThreadSanitizer. */
    uint64_t (*largest_arena)(void);
} MemOs;

/* The real host. */
const MemOs *mem_os_host(void);

/* The number behind "MemAvailable:" in the text of /proc/meminfo, in bytes; 0 if there is none. */
uint64_t mem_os_parse_available(const char *meminfo);
