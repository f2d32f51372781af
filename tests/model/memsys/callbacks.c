/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real machine's devices, handlers and watches. Each notes that it was called, then acts.
 */
#include "tests/model/memsys/naive.h"

#include <string.h>

static void note(Naive *m, Event event)
{
    g_array_append_val(m->events, event);
}

/* ---- devices */

static MemStatus device_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    NaiveRange *dev = user;
    uint64_t value = 0;

    note(dev->machine, (Event) { .kind = EVENT_DEVICE,
                                 .who = dev->number,
                                 .at = offset,
                                 .len = size,
                                 .access = MEM_ACCESS_READ });
    if (dev->refuses) {
        *ret_value = 0x1234;
        return MEM_ERR_BUS_ERROR;
    }
    for (unsigned i = 0; i < size; i++) {
        unsigned digit = dev->ops.big_endian ? size - 1 - i : i;

        value |= (uint64_t)dev->registers[offset + i] << 8 * digit;
    }
    *ret_value = value;
    return MEM_OK;
}

static MemStatus device_write(void *user, uint64_t offset, unsigned size, uint64_t value)
{
    NaiveRange *dev = user;

    note(dev->machine, (Event) { .kind = EVENT_DEVICE,
                                 .who = dev->number,
                                 .at = offset,
                                 .len = size,
                                 .value = value,
                                 .access = MEM_ACCESS_WRITE });
    if (dev->refuses) {
        return MEM_ERR_BUS_ERROR;
    }
    for (unsigned i = 0; i < size; i++) {
        unsigned digit = dev->ops.big_endian ? size - 1 - i : i;

        dev->registers[offset + i] = (uint8_t)(value >> 8 * digit);
    }
    if (dev->dies && offset == 0) {
        dev->machine->state.disturbed = true;
        pgm_mmio_free(dev->mmio);
        return MEM_OK;
    }
    if (dev->wanders && offset == 0) {
        GPhys now = pgm_mmio_address(dev->mmio);

        (void)pgm_mmio_map(dev->mmio, now == dev->homes[0] ? dev->homes[1] : dev->homes[0], NULL);
    }
    return MEM_OK;
}

const PgmMmioOps model_ops = { .read = device_read, .write = device_write };

/* ---- handlers */

PgmHandlerResult model_handler(Pgm *pgm, const PgmHandlerAccess *access, void *user)
{
    NaiveHandler *handler = user;
    bool is_write = access->access == MEM_ACCESS_WRITE;
    uint64_t value = 0;

    (void)pgm;
    if (is_write) {
        memcpy(&value, access->buf, MIN(access->len, 8));
        value = GUINT64_FROM_LE(value);
    }
    note(handler->machine, (Event) { .kind = EVENT_HANDLER,
                                     .who = handler->number,
                                     .at = access->gpa,
                                     .len = access->len,
                                     .value = value,
                                     .access = access->access,
                                     .origin = access->origin });
    switch (handler->behaviour) {
    case SWALLOW:
        for (unsigned i = 0; i < access->len && !is_write; i++) {
            access->buf[i] = swallow_byte(access->gpa + i, handler->number);
        }
        return PGM_HANDLER_HANDLED;
    case SCRAMBLE:
        for (unsigned i = 0; i < access->len; i++) {
            if (!is_write) {
                access->buf[i] = access->host[i] ^ 0xa5;
            } else if (access->host != NULL) {
                access->host[i] = access->buf[i] ^ 0x5a;
            }
        }
        return PGM_HANDLER_HANDLED;
    case REFUSE:
        return PGM_HANDLER_FAILED;
    case FREE_SELF:
        pgm_handler_free(g_steal_pointer(&handler->handler));
        return PGM_HANDLER_DO_DEFAULT;
    case SWITCH_OFF:
        (void)pgm_handler_page_off(handler->handler, access->gpa);
        return PGM_HANDLER_DO_DEFAULT;
    case DO_DEFAULT:
    case N_BEHAVIOURS:
        break;
    }
    return PGM_HANDLER_DO_DEFAULT;
}

/* ---- watches and what is nowhere */

void model_watch(Pgm *pgm, const PgmWatchHit *hit, void *user)
{
    NaiveWatch *watch = user;

    (void)pgm;
    if (!watch->real_live) {
        model_fail("watch %u was told after it was freed", watch->number);
    }
    note(watch->machine, (Event) { .kind = EVENT_WATCH,
                                   .who = watch->number,
                                   .at = hit->gpa,
                                   .len = hit->len,
                                   .value = hit->value,
                                   .access = hit->access,
                                   .origin = hit->origin,
                                   .by_gva = hit->by_gva,
                                   .gva = hit->by_gva ? hit->gva : 0,
                                   .before = hit->before });
    if (watch->once) {
        watch->real_live = false;
        pgm_watch_free(g_steal_pointer(&watch->watch));
    }
}

void model_unassigned(Pgm *pgm, GPhys gpa, uint64_t len, MemAccess access, MemOrigin origin,
                      void *user)
{
    Naive *m = user;

    (void)pgm;
    (void)gpa;
    (void)origin;
    m->real_unassigned[access == MEM_ACCESS_WRITE] += len;
}
