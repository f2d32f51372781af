/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real host, counted: every call through memsys/os.h of the whole process has a number, and one
 * of them (or all from one on) can be made to fail. What is mapped, allocated and open is counted
 * too, so that nothing can be left behind.
 *
 * Thread: one.
 */
#pragma once

#include "memsys/os.h"

typedef enum HostCall {
    HOST_RESERVE,
    HOST_MAP_ZEROS,
    HOST_PROTECT,
    HOST_DISCARD,
    HOST_ALLOC,
    HOST_REALLOC,
    HOST_OPEN,
    HOST_READ,
    HOST_WRITE,
    HOST_PREAD,
    HOST_PWRITE,
    HOST_LSEEK,
    HOST_FSTAT,
    HOST_STAT,
    HOST_FTRUNCATE,
    HOST_FSYNC,
    HOST_CLOSE, /* closes all the same, as Linux does */
    HOST_RENAME,
    HOST_UNLINK,
    HOST_N_CALLS
} HostCall;

typedef enum HostFault {
    HOST_FAILS_ONCE,
    HOST_FAILS_ON,    /* this call and all that can fail, until healed */
    HOST_SHORT,       /* a read or write moves half of what was asked for; no failure */
    HOST_INTERRUPTED, /* a read, write or sync gives EINTR, once; no failure */
    HOST_N_FAULTS
} HostFault;

typedef struct FailingHost {
    unsigned n_calls; /* so far, all kinds */
    unsigned fail_at; /* number of the call, from 1; 0: none */
    HostFault fault;
    bool paused;                   /* calls are neither counted nor made to fail */
    unsigned n_failed;             /* calls that were made to fail or cut short so far */
    HostCall failed;               /* the kind of the first of them */
    void (*note)(HostCall call);   /* (nullable): told of each call */
    int n_maps, n_blocks, n_files; /* made and not yet given back */
} FailingHost;

extern FailingHost failing_host;

/* In good health. The table is to be given to mem_os_set(). */
const MemOs *failing_host_new(void);
void failing_host_heal(void);
const char *failing_host_name(HostCall call);
/* Whether a fault does anything to a call of this kind. */
bool failing_host_applies(HostFault fault, HostCall call);
