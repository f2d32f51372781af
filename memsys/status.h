/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MemStatus: the one result type of the memory system, and the codes of its one GError domain.
 *
 * 0 is good, errors are negative. Each comment names the status VirtualBox uses for the same case,
 * for readers who know that model.
 */
#pragma once

#include <glib.h>

#pragma GCC visibility push(default)

typedef enum MemStatus {
    MEM_OK = 0,                       /* VINF_SUCCESS */
    MEM_ERR_INVALID_PARAMETER = -1,   /* VERR_INVALID_PARAMETER */
    MEM_ERR_UNALIGNED = -2,           /* VERR_UNSUPPORTED_ALIGNMENT */
    MEM_ERR_OUT_OF_RANGE = -3,        /* VERR_OUT_OF_RANGE */
    MEM_ERR_WRONG_ORDER = -4,         /* VERR_WRONG_ORDER */
    MEM_ERR_WRONG_TYPE = -5,          /* VERR_WRONG_TYPE */
    MEM_ERR_NOT_FOUND = -6,           /* VERR_NOT_FOUND */
    MEM_ERR_NOT_OWNER = -7,           /* VERR_NOT_OWNER */
    MEM_ERR_ALREADY_EXISTS = -8,      /* VERR_ALREADY_EXISTS */
    MEM_ERR_IN_USE = -9,              /* VERR_RESOURCE_IN_USE */
    MEM_ERR_CONFLICT = -10,           /* VERR_PGM_RAM_CONFLICT */
    MEM_ERR_HANDLER_CONFLICT = -11,   /* VERR_PGM_HANDLER_PHYSICAL_CONFLICT */
    MEM_ERR_NO_RANGE = -12,           /* VERR_PGM_HANDLER_PHYSICAL_NO_RAM_RANGE */
    MEM_ERR_UNASSIGNED = -13,         /* VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS */
    MEM_ERR_NOT_RAM = -14,            /* VERR_PGM_PHYS_NOT_RAM */
    MEM_ERR_NOT_MMIO2 = -15,          /* VERR_PGM_PHYS_NOT_MMIO2 */
    MEM_ERR_RESERVED = -16,           /* VERR_PGM_PHYS_PAGE_RESERVED: no memory to point at */
    MEM_ERR_BALLOONED = -17,          /* VERR_PGM_PHYS_PAGE_BALLOONED */
    MEM_ERR_BAD_PAGE_ID = -18,        /* VERR_PGM_PHYS_INVALID_PAGE_ID, VERR_GMM_PAGE_NOT_FOUND */
    MEM_ERR_NO_MEMORY = -19,          /* VERR_EM_NO_MEMORY: stop the machine, resumable */
    MEM_ERR_HOST_MEMORY = -20,        /* VERR_NO_MEMORY, VERR_MAP_FAILED */
    MEM_ERR_GLOBAL_LIMIT = -21,       /* VERR_GMM_HIT_GLOBAL_LIMIT */
    MEM_ERR_ACCOUNT_LIMIT = -22,      /* VERR_GMM_HIT_VM_ACCOUNT_LIMIT */
    MEM_ERR_DECLINED = -23,           /* VERR_GMM_MEMORY_RESERVATION_DECLINED */
    MEM_ERR_BELOW_ALLOCATED = -24,    /* reservation below what is in use (VirtualBox: unchecked) */
    MEM_ERR_FREE_TOO_MUCH = -25,      /* VERR_GMM_ATTEMPT_TO_FREE_TOO_MUCH */
    MEM_ERR_PAGE_NOT_PRIVATE = -26,   /* VERR_GMM_PAGE_NOT_PRIVATE */
    MEM_ERR_PAGE_NOT_SHARED = -27,    /* VERR_GMM_PAGE_NOT_SHARED */
    MEM_ERR_PAGE_ALREADY_FREE = -28,  /* VERR_GMM_PAGE_ALREADY_FREE */
    MEM_ERR_REFERENCE_OVERFLOW = -29, /* (VirtualBox: unchecked) */
    MEM_ERR_BUS_ERROR = -30,          /* a device refused the access */
    MEM_ERR_LIMIT_REACHED = -31,      /* VERR_PGM_TOO_MANY_*: a table is full */
    MEM_ERR_FILE = -32,               /* the host refused to open, read or write a file */
    MEM_ERR_BAD_FILE = -33,           /* VERR_SSM_*: a saved state is damaged or fits not here */
} MemStatus;

/**
 * mem_status_name:
 * @status: any value; one that is no MemStatus gives "unknown status"
 *
 * Returns: (transfer none): a short lower-case description, good for a message
 */
const char *mem_status_name(MemStatus status);

/* GError domain; the code is the MemStatus (negative). */
#define MEM_ERROR (mem_error_quark())
GQuark mem_error_quark(void);

#pragma GCC visibility pop
