/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a delivery needs of memory: descriptors through GDT and LDT, reads of the processor's own
 * tables, writes that are checked first and performed later. And SYSENTER, which loads segments
 * without any table.
 *
 * Source: Intel SDM volume 3A 3.4.5 (descriptors), 4.6 (implicit supervisor accesses); volume 2B
 * SYSENTER.
 */
#include "emu/x86/deliver-internal.h"

#include "memsys/access.h"

#include <glib.h>

#define RFLAGS_IF UINT64_C(0x200)
#define RFLAGS_VM UINT64_C(0x20000)

void x86_delivery_init(X86Delivery *d, const X86State *st, PgmCpu *mem, const X86Event *event)
{
    *d = (X86Delivery) { .next = *st, .regs = st->paging, .mem = mem, .event = *event };
    d->regs.eflags = (uint32_t)st->rflags;
    d->long_mode = x86_is_long_mode(&st->paging);
    d->ext = event->kind == X86_EVENT_SOFTWARE_INT ? 0 : 1;
}

void x86_delivery_set_fault(X86Delivery *d, uint8_t vector, uint32_t error)
{
    d->result = X86_DELIVER_FAULT;
    d->fault_vector = vector;
    /* Real mode knows no error codes. */
    d->fault_has_error = (d->regs.cr0 & X86_CR0_PE) != 0;
    d->fault_error = d->fault_has_error ? error : 0;
}

X86DeliverResult x86_delivery_report(const X86Delivery *d, X86State *st, X86DeliverOut *out)
{
    bool fault = d->result == X86_DELIVER_FAULT;

    *out = (X86DeliverOut) {
        .vector = fault ? d->fault_vector : d->event.vector,
        .has_error = fault ? d->fault_has_error : d->event.has_error,
        .error = fault ? d->fault_error : d->event.error,
        .n_events = 1,
        .text = d->text,
    };
    if (fault && d->fault_vector == X86_XCP_PF) {
        st->cr2 = d->fault_address;
    }
    return d->result;
}

/* Walks to the page of @address; @vector is for a non-canonical one. */
static bool translate(X86Delivery *d, GVirt address, MemAccess access, unsigned flags,
                      uint8_t vector, GPhys *ret_gpa)
{
    X86Walk walk;

    x86_walk(&d->regs, d->mem, address, access, flags, &walk);
    switch (walk.result) {
    case X86_WALK_OK:
        *ret_gpa = pgm_cpu_mask(d->mem, walk.gpa);
        return true;
    case X86_WALK_PAGE_FAULT:
        d->fault_address = d->long_mode ? address : address & 0xffffffffu;
        return x86_delivery_raise(d, X86_XCP_PF, walk.error_code);
    case X86_WALK_NON_CANONICAL:
        break;
    }
    return x86_delivery_raise(d, vector, d->ext);
}

static unsigned bytes_in_page(GVirt address, unsigned len)
{
    return MIN(len, (unsigned)(MEM_PAGE_SIZE - (address & (MEM_PAGE_SIZE - 1))));
}

static uint64_t read_physical(PgmCpu *mem, GPhys gpa, unsigned len)
{
    Pgm *pgm = pgm_cpu_pgm(mem);
    uint64_t value = 0;

    switch (len) {
    case 8:
        return pgm_read_u64_as(pgm, gpa, MEM_ORIGIN_CPU);
    case 4:
        return pgm_read_u32_as(pgm, gpa, MEM_ORIGIN_CPU);
    case 2:
        return pgm_read_u16_as(pgm, gpa, MEM_ORIGIN_CPU);
    default:
        for (unsigned i = 0; i < len; i++) {
            value |= (uint64_t)pgm_read_u8_as(pgm, gpa + i, MEM_ORIGIN_CPU) << (8 * i);
        }
        return value;
    }
}

bool x86_delivery_read(X86Delivery *d, GVirt address, unsigned len, uint64_t *ret_value)
{
    uint64_t value = 0;

    g_assert(len >= 1 && len <= 8);
    for (unsigned done = 0, n; done < len; done += n) {
        GPhys gpa;

        n = bytes_in_page(address + done, len - done);
        if (!translate(d, address + done, MEM_ACCESS_READ, X86_ACCESS_IMPLICIT_SUPERVISOR,
                       X86_XCP_GP, &gpa)) {
            return false;
        }
        value |= read_physical(d->mem, gpa, n) << (8 * done);
    }
    *ret_value = value;
    return true;
}

bool x86_delivery_stage(X86Delivery *d, GVirt address, unsigned len, uint64_t value, unsigned flags,
                        uint8_t vector)
{
    g_assert(len >= 1 && len <= 8);
    for (unsigned done = 0, n; done < len; done += n) {
        GPhys gpa;

        n = bytes_in_page(address + done, len - done);
        if (!translate(d, address + done, MEM_ACCESS_WRITE, flags, vector, &gpa)) {
            return false;
        }
        g_assert(d->n_staged < X86_MAX_STAGED);
        d->staged[d->n_staged++] = (X86StagedWrite) {
            .gpa = gpa,
            .value = value >> (8 * done),
            .len = (uint8_t)n,
        };
    }
    return true;
}

static MemStatus write_physical(Pgm *pgm, const X86StagedWrite *write)
{
    MemStatus status = MEM_OK;

    switch (write->len) {
    case 8:
        return pgm_write_u64_as(pgm, write->gpa, write->value, MEM_ORIGIN_CPU);
    case 4:
        return pgm_write_u32_as(pgm, write->gpa, (uint32_t)write->value, MEM_ORIGIN_CPU);
    case 2:
        return pgm_write_u16_as(pgm, write->gpa, (uint16_t)write->value, MEM_ORIGIN_CPU);
    default:
        for (unsigned i = 0; i < write->len && status != MEM_ERR_NO_MEMORY; i++) {
            status = pgm_write_u8_as(pgm, write->gpa + i, (uint8_t)(write->value >> (8 * i)),
                                     MEM_ORIGIN_CPU);
        }
        return status;
    }
}

bool x86_delivery_commit(X86Delivery *d)
{
    Pgm *pgm = pgm_cpu_pgm(d->mem);

    for (unsigned i = 0; i < d->n_staged; i++) {
        /* Any other failure is a write that vanished on the bus. After this one the same delivery
         * may be tried again: it writes the same bytes. */
        if (write_physical(pgm, &d->staged[i]) == MEM_ERR_NO_MEMORY) {
            d->result = X86_DELIVER_NO_MEMORY;
            return false;
        }
    }
    return true;
}

X86Seg x86_decode_descriptor(uint16_t selector, uint64_t descriptor)
{
    uint32_t limit = (uint32_t)((descriptor & 0xffff) | (descriptor >> 32 & 0xf0000));
    X86Seg seg = {
        .selector = selector,
        .base = (descriptor >> 16 & 0xffffff) | (descriptor >> 32 & 0xff000000),
        .attr = (uint32_t)(descriptor >> 40) & 0xf0ff,
    };

    seg.limit = (seg.attr & X86_SEG_G) != 0 ? limit << 12 | 0xfff : limit;
    return seg;
}

bool x86_delivery_descriptor(X86Delivery *d, uint16_t selector, uint8_t vector,
                             X86Descriptor *ret_descriptor)
{
    const X86State *st = &d->next;
    bool local = (selector & X86_SELECTOR_TI) != 0;
    uint64_t base = local ? st->ldtr.base : st->gdtr.base;
    uint32_t limit = local ? st->ldtr.limit : st->gdtr.limit;
    uint32_t offset = selector & 0xfff8u;
    uint64_t raw;

    /* A null LDTR has no table, whatever limit it was left with. */
    if ((local && (st->ldtr.selector & 0xfffcu) == 0) || (uint64_t)offset + 7 > limit) {
        return x86_delivery_raise_selector(d, vector, selector);
    }
    if (!x86_delivery_read(d, base + offset, 8, &raw)) {
        return false;
    }
    ret_descriptor->seg = x86_decode_descriptor(selector, raw);
    ret_descriptor->address = base + offset;
    return true;
}

bool x86_delivery_mark_accessed(X86Delivery *d, X86Descriptor *desc)
{
    if ((desc->seg.attr & X86_SEG_ACCESSED) != 0) {
        return true;
    }
    desc->seg.attr |= X86_SEG_ACCESSED;
    return x86_delivery_stage(d, desc->address + 5, 1, desc->seg.attr & 0xff,
                              X86_ACCESS_IMPLICIT_SUPERVISOR, X86_XCP_GP);
}

X86DeliverResult x86_load_segment(X86State *st, PgmCpu *mem, uint16_t selector, X86Seg *ret_seg,
                                  X86DeliverOut *out)
{
    const X86Event instruction = { .vector = X86_XCP_GP, .kind = X86_EVENT_SOFTWARE_INT };
    X86Delivery d;
    X86Descriptor desc;

    x86_delivery_init(&d, st, mem, &instruction);
    if ((selector & 0xfffcu) == 0) {
        x86_delivery_raise(&d, X86_XCP_GP, 0);
    } else if (x86_delivery_descriptor(&d, selector, X86_XCP_GP, &desc)) {
        *ret_seg = desc.seg;
    }
    return x86_delivery_report(&d, st, out);
}

X86DeliverResult x86_sysenter(X86State *st, X86DeliverOut *out)
{
    const X86Event instruction = { .vector = X86_XCP_GP, .kind = X86_EVENT_SOFTWARE_INT };
    X86Delivery d;

    x86_delivery_init(&d, st, NULL, &instruction);
    if ((st->paging.cr0 & X86_CR0_PE) == 0 || (st->sysenter_cs & 0xfffcu) == 0) {
        x86_delivery_raise(&d, X86_XCP_GP, 0);
        return x86_delivery_report(&d, st, out);
    }
    uint64_t mask = d.long_mode ? UINT64_MAX : UINT32_MAX;
    uint32_t flat = X86_SEG_P | X86_SEG_S | X86_SEG_WRITABLE | X86_SEG_ACCESSED | X86_SEG_G;
    uint16_t cs = st->sysenter_cs & 0xfffcu;

    st->rflags &= ~(RFLAGS_VM | RFLAGS_IF);
    st->gpr[X86_RSP] = st->sysenter_esp & mask;
    st->rip = st->sysenter_eip & mask;
    st->seg[X86_CS] = (X86Seg) {
        .selector = cs,
        .limit = UINT32_MAX,
        .attr = flat | X86_SEG_CODE | (d.long_mode ? X86_SEG_L : X86_SEG_DB),
    };
    st->seg[X86_SS] = (X86Seg) {
        .selector = (uint16_t)(cs + 8),
        .limit = UINT32_MAX,
        .attr = flat | X86_SEG_DB,
    };
    st->paging.cpl = 0;
    st->paging.eflags = (uint32_t)st->rflags;
    return x86_delivery_report(&d, st, out);
}
