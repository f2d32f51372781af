/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access handlers: code that performs the accesses to some bytes instead of memory. Exclusive by
 * bytes. For observers that own nothing see memsys/watch.h.
 *
 * A handler belongs to bytes of a range: it moves with its MMIO2, sleeps under an overlay, and does
 * nothing more when the range is gone (it is still its owner's to free). Pages without a handler
 * pay nothing.
 */
#pragma once

#include "memsys/pgm.h"

#pragma GCC visibility push(default)

typedef struct PgmHandler PgmHandler;

typedef enum PgmHandlerKind {
    PGM_HANDLER_KIND_WRITE, /* any byte range; reads go straight to memory */
    PGM_HANDLER_KIND_ALL,   /* whole pages; reads and writes */
} PgmHandlerKind;

typedef struct PgmHandlerAccess {
    GPhys gpa;
    uint8_t *host;    /* the byte's place in host memory, NULL if the page has none to show */
    uint8_t *buf;     /* what is written, or where to put what is read */
    uint32_t len;     /* never crosses a page */
    MemAccess access; /* READ or WRITE */
    MemOrigin origin;
} PgmHandlerAccess;

typedef enum PgmHandlerResult {
    PGM_HANDLER_HANDLED,    /* done */
    PGM_HANDLER_DO_DEFAULT, /* the memory system shall access memory as if there were no handler */
    PGM_HANDLER_FAILED,     /* refused: a bus error */
} PgmHandlerResult;

/* May register, free, switch off handlers, itself included. */
typedef PgmHandlerResult (*PgmHandlerFunc)(Pgm *pgm, const PgmHandlerAccess *access, void *user);

/**
 * pgm_handler_new:
 * @start, @len: must lie in one RAM, MMIO2 or ROM range; whole pages for KIND_ALL
 *
 * Returns: (transfer full): an armed handler, or %NULL with MEM_ERR_HANDLER_CONFLICT (names the
 * other), MEM_ERR_NO_RANGE, MEM_ERR_UNALIGNED, MEM_ERR_INVALID_PARAMETER, MEM_ERR_HOST_MEMORY
 */
PgmHandler *pgm_handler_new(Pgm *pgm, PgmHandlerKind kind, GPhys start, uint64_t len,
                            PgmHandlerFunc func, void *user, const char *description,
                            GError **error);
/* @handler: (nullable). Before pgm_free(); its range may have gone. */
void pgm_handler_free(PgmHandler *handler);

/* Off for one page until pgm_handler_reset(): MEM_ERR_OUT_OF_RANGE if it has no byte there,
 * MEM_ERR_HOST_MEMORY. */
MemStatus pgm_handler_page_off(PgmHandler *handler, GPhys gpa);
void pgm_handler_reset(PgmHandler *handler);

/* The handler that owns the byte, or NULL. */
PgmHandler *pgm_handler_lookup(Pgm *pgm, GPhys gpa);

typedef void (*PgmHandlerVisitor)(PgmHandlerKind kind, GPhys start, uint64_t len,
                                  const char *description, void *user);
void pgm_handler_foreach(Pgm *pgm, PgmHandlerVisitor visit, void *user);

#pragma GCC visibility pop
