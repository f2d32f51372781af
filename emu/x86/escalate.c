/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of an exception in the delivery of another: both in turn, #DF, or shutdown. And the
 * exceptions' names.
 *
 * The loop ends: a nested fault is contributory or a page fault, so that each round either stays in
 * turn (benign, then contributory, then #PF at most), becomes #DF, or ends it.
 *
 * Source: Intel SDM volume 3A 6.15, "Interrupt 8", tables 6-4 and 6-5.
 */
#include "emu/x86/deliver-internal.h"

#include <glib.h>

/* SDM table 6-4. INT n and external interrupts are benign whatever their vector. */
typedef enum Class { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT, CLASS_DOUBLE_FAULT } Class;

static Class classify(const X86Event *event)
{
    if (event->kind != X86_EVENT_EXCEPTION) {
        return CLASS_BENIGN;
    }
    switch (event->vector) {
    case 0:
    case 10:
    case 11:
    case 12:
    case 13:
    case 21:
        return CLASS_CONTRIBUTORY;
    case 14:
    case 20:
        return CLASS_PAGE_FAULT;
    case 8:
        return CLASS_DOUBLE_FAULT;
    default:
        return CLASS_BENIGN;
    }
}

/* SDM table 6-5: whether @second, raised in the delivery of @first, makes a #DF of both. */
static bool makes_double_fault(const X86Event *first, const X86Event *second)
{
    Class a = classify(first);
    Class b = classify(second);

    return (a == CLASS_CONTRIBUTORY && b == CLASS_CONTRIBUTORY) ||
           (a == CLASS_PAGE_FAULT && b != CLASS_BENIGN);
}

X86DeliverResult x86_deliver_with_escalation(X86State *st, PgmCpu *mem, const X86Event *event,
                                             X86DeliverOut *out)
{
    X86State work = *st;
    X86Event now = *event;
    X86DeliverResult result;

    for (unsigned n = 1;; n++) {
        result = x86_deliver(&work, mem, &now, out);
        out->n_events = n;
        if (result != X86_DELIVER_FAULT) {
            break;
        }
        if (classify(&now) == CLASS_DOUBLE_FAULT) {
            result = X86_DELIVER_TRIPLE;
            out->text = "a fault in the delivery of #DF";
            break;
        }
        X86Event fault = {
            .vector = out->vector,
            .kind = X86_EVENT_EXCEPTION,
            .has_error = out->has_error,
            .error = out->error,
        };

        if (makes_double_fault(&now, &fault)) {
            fault =
                (X86Event) { .vector = X86_XCP_DF, .kind = X86_EVENT_EXCEPTION, .has_error = true };
        }
        if (now.kind == X86_EVENT_SOFTWARE_INT) {
            /* The instruction did not complete: the fault belongs to it. */
            work.rip -= now.insn_len;
            if (!x86_is_long_mode(&work.paging)) {
                work.rip &= UINT32_MAX;
            }
        }
        now = fault;
    }
    if (result == X86_DELIVER_OK) {
        *st = work;
    } else {
        st->cr2 = work.cr2;
    }
    return result;
}

const char *x86_exception_name(uint8_t vector)
{
    static const char *const names[] = {
        "#DE divide error",
        "#DB debug",
        "NMI",
        "#BP breakpoint",
        "#OF overflow",
        "#BR bound range exceeded",
        "#UD invalid opcode",
        "#NM device not available",
        "#DF double fault",
        "coprocessor segment overrun",
        "#TS invalid TSS",
        "#NP segment not present",
        "#SS stack fault",
        "#GP general protection",
        "#PF page fault",
        "reserved exception 15",
        "#MF x87 floating-point error",
        "#AC alignment check",
        "#MC machine check",
        "#XM SIMD floating-point error",
        "#VE virtualization exception",
        "#CP control protection",
    };

    if (vector < G_N_ELEMENTS(names)) {
        return names[vector];
    }
    return vector < 32 ? "reserved exception" : "interrupt";
}
