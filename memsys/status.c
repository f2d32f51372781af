/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts of MemStatus and the error domain.
 */
#include "memsys/status.h"

/* Indexed by the status with its sign turned. */
static const char *const names[] = {
    [-MEM_OK] = "success",
    [-MEM_ERR_INVALID_PARAMETER] = "invalid parameter",
    [-MEM_ERR_UNALIGNED] = "not aligned to a page",
    [-MEM_ERR_OUT_OF_RANGE] = "out of range",
    [-MEM_ERR_WRONG_ORDER] = "call out of order",
    [-MEM_ERR_WRONG_TYPE] = "wrong type of object",
    [-MEM_ERR_NOT_FOUND] = "not found",
    [-MEM_ERR_NOT_OWNER] = "not the owner",
    [-MEM_ERR_ALREADY_EXISTS] = "already exists",
    [-MEM_ERR_IN_USE] = "in use",
    [-MEM_ERR_CONFLICT] = "conflicts with another range",
    [-MEM_ERR_HANDLER_CONFLICT] = "conflicts with another handler",
    [-MEM_ERR_NO_RANGE] = "no range to put a handler on",
    [-MEM_ERR_UNASSIGNED] = "nothing is registered at this address",
    [-MEM_ERR_NOT_RAM] = "not RAM",
    [-MEM_ERR_NOT_MMIO2] = "not device memory",
    [-MEM_ERR_RESERVED] = "no memory to point at",
    [-MEM_ERR_BALLOONED] = "page is ballooned",
    [-MEM_ERR_BAD_PAGE_ID] = "no such page id",
    [-MEM_ERR_NO_MEMORY] = "out of memory for the guest",
    [-MEM_ERR_HOST_MEMORY] = "the host has no memory left",
    [-MEM_ERR_GLOBAL_LIMIT] = "global page limit reached",
    [-MEM_ERR_ACCOUNT_LIMIT] = "reservation of the machine used up",
    [-MEM_ERR_DECLINED] = "reservation declined",
    [-MEM_ERR_BELOW_ALLOCATED] = "reservation below what is allocated",
    [-MEM_ERR_FREE_TOO_MUCH] = "more freed than the account holds",
    [-MEM_ERR_PAGE_NOT_PRIVATE] = "page is not private",
    [-MEM_ERR_PAGE_NOT_SHARED] = "page is not shared",
    [-MEM_ERR_PAGE_ALREADY_FREE] = "page is already free",
    [-MEM_ERR_REFERENCE_OVERFLOW] = "too many references to a shared page",
    [-MEM_ERR_BUS_ERROR] = "a device refused the access",
    [-MEM_ERR_LIMIT_REACHED] = "a table is full",
    [-MEM_ERR_FILE] = "the host refused a file operation",
    [-MEM_ERR_BAD_FILE] = "the file is damaged or does not fit",
};

const char *mem_status_name(MemStatus status)
{
    /* Any int may arrive here; -INT_MIN must not be formed. */
    int64_t index = -(int64_t)status;

    if (index < 0 || index >= (int64_t)G_N_ELEMENTS(names)) {
        return "unknown status";
    }
    return names[index];
}

G_DEFINE_QUARK(quire_mem_error, mem_error)
