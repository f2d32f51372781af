/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See helper-device.h.
 */
#include "helper-device.h"

#include "emu/state-units.h"
#include "memsys/access.h"

#include <check.h>

#define PORT_ASK_STOP 0xe0
#define PORT_ADDRESS 0xe4
#define PORT_VALUE 0xe8
#define PORT_AT_ONCE 0xec
#define PORT_MOVE 0xf0
#define MMIO_BASE UINT64_C(0xd0000000)
#define MMIO2_LEN (UINT64_C(64) << 10)

static uint32_t helper_in(void *user, uint16_t port, unsigned size)
{
    const HelperDevice *h = user;

    (void)size;
    return port == PORT_ASK_STOP ? h->n_reads : port == PORT_ADDRESS ? h->n_writes : 0;
}

static void helper_out(void *user, uint16_t port, unsigned size, uint32_t value)
{
    HelperDevice *h = user;

    (void)size;
    switch (port) {
    case PORT_ASK_STOP:
        h->asked = true;
        emu_machine_stop_soon(h->machine);
        break;
    case PORT_ADDRESS:
        h->address = value;
        break;
    case PORT_VALUE:
        h->value = value;
        if (h->at_once) {
            ck_assert_int_eq(pgm_write_u32(h->pgm, h->address, value), MEM_OK);
        }
        break;
    case PORT_AT_ONCE:
        h->at_once = value != 0;
        break;
    case PORT_MOVE:
        ck_assert_int_eq(pgm_mmio2_map(h->mmio2, value, NULL), MEM_OK);
        break;
    default:
        ck_abort_msg("port 0x%x", port);
    }
}

static MemStatus helper_mmio_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    HelperDevice *h = user;

    ck_assert_uint_eq(size, 4);
    h->n_reads++;
    *ret_value = h->registers[offset / 4 % G_N_ELEMENTS(h->registers)];
    return MEM_OK;
}

static MemStatus helper_mmio_write(void *user, uint64_t offset, unsigned size, uint64_t value)
{
    HelperDevice *h = user;

    ck_assert_uint_eq(size, 4);
    h->n_writes++;
    h->registers[offset / 4 % G_N_ELEMENTS(h->registers)] = (uint32_t)value;
    return MEM_OK;
}

static const EmuField fields[] = {
    EMU_FIELD_ARRAY(HelperDevice, registers), EMU_FIELD(HelperDevice, n_reads),
    EMU_FIELD(HelperDevice, n_writes),        EMU_FIELD(HelperDevice, address),
    EMU_FIELD(HelperDevice, value),           EMU_FIELD(HelperDevice, at_once),
    EMU_FIELD(HelperDevice, asked),
};

static unsigned helper_parts(void *user, EmuStatePart *ret_parts)
{
    ret_parts[0] = (EmuStatePart) { .desc = { .name = "helper",
                                              .version = 1,
                                              .size = sizeof(HelperDevice),
                                              .fields = fields,
                                              .n_fields = G_N_ELEMENTS(fields) },
                                    .state = user };
    return 1;
}

void helper_device_init(HelperDevice *helper, EmuMachine *machine)
{
    static const EmuStateUnit unit = { .name = "helper", .version = 1, .parts = helper_parts };
    static const EmuPortOps ports = { .read = helper_in, .write = helper_out, .sizes = 4 };
    static const PgmMmioOps mmio = {
        .read = helper_mmio_read, .write = helper_mmio_write, .min_size = 4, .max_size = 4
    };
    g_autoptr(GError) error = NULL;

    *helper = (HelperDevice) { .machine = machine, .pgm = emu_machine_pgm(machine) };
    ck_assert_uint_ne(emu_ports_add(emu_machine_ports(machine), PORT_ASK_STOP,
                                    PORT_MOVE + 4 - PORT_ASK_STOP, &ports, helper, "helper",
                                    &error),
                      0);
    helper->mmio = pgm_mmio_new(helper->pgm, 4096, &mmio, helper, "helper", "registers", &error);
    ck_assert_ptr_nonnull(helper->mmio);
    ck_assert_int_eq(pgm_mmio_map(helper->mmio, MMIO_BASE, &error), MEM_OK);
    helper->mmio2 = pgm_mmio2_new(helper->pgm, "helper", 0, MMIO2_LEN, false, "memory", &error);
    ck_assert_ptr_nonnull(helper->mmio2);
    emu_machine_add_state(machine, &unit, helper);
}

bool helper_device_serve(HelperDevice *helper)
{
    if (!helper->asked) {
        return false;
    }
    helper->asked = false;
    ck_assert_int_eq(pgm_write(helper->pgm, helper->address, &helper->value, 4, MEM_ORIGIN_DEVICE),
                     MEM_OK);
    return true;
}

void helper_device_clear(HelperDevice *helper)
{
    pgm_mmio2_free(helper->mmio2);
    pgm_mmio_free(helper->mmio);
}
