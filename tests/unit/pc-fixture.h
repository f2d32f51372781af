/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the PC board share: one board with a firmware image that does nothing, and a
 * guest's ways to reach it.
 */
#pragma once

#include "devices/pc.h"
#include "emu/clock-internal.h"

#include <check.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

static EmuMachine *machine;
static DevPc *pc;
static uint8_t *bios;

/* A firmware image: byte i is i * 7 + i / 256, the reset vector jumps to itself. */
static inline uint8_t bios_byte(size_t i, size_t len)
{
    if (i == len - 16) {
        return 0xEB;
    }
    if (i == len - 15) {
        return 0xFE;
    }
    return (uint8_t)(i * 7 + i / 256);
}

static inline DevPcConfig config_with(size_t bios_len)
{
    bios = g_realloc(bios, bios_len);
    for (size_t i = 0; i < bios_len; i++) {
        bios[i] = bios_byte(i, bios_len);
    }
    return (DevPcConfig) { .bios = bios, .bios_len = bios_len, .bios_name = "test.bin" };
}

static inline void setup(void)
{
    machine = emu_machine_new(NULL, NULL);
    ck_assert_ptr_nonnull(machine);
}

static inline void teardown(void)
{
    if (machine != NULL) {
        ck_assert_uint_eq(pgm_verify(emu_machine_pgm(machine), NULL), 0);
    }
    emu_machine_free(machine);
    g_clear_pointer(&bios, g_free);
}

static inline void build(const DevPcConfig *config)
{
    g_autoptr(GError) error = NULL;

    pc = dev_pc_new(machine, config, &error);
    ck_assert_msg(pc != NULL, "%s", error != NULL ? error->message : "no message");
    emu_machine_reset(machine);
}

static inline void build_plain(void)
{
    DevPcConfig config = config_with(64 * KIB);

    build(&config);
}

static inline uint8_t in8(uint16_t port)
{
    return (uint8_t)emu_ports_read(emu_machine_ports(machine), port, 1);
}

static inline void out8(uint16_t port, uint8_t value)
{
    emu_ports_write(emu_machine_ports(machine), port, 1, value);
}

static inline void pci_write(unsigned devfn, unsigned reg, unsigned size, uint32_t value)
{
    EmuPorts *ports = emu_machine_ports(machine);

    emu_ports_write(ports, 0xCF8, 4, 0x80000000u | devfn << 8 | (reg & 0xFC));
    emu_ports_write(ports, (uint16_t)(0xCFC + (reg & 3)), size, value);
}

static inline uint32_t pci_read(unsigned devfn, unsigned reg)
{
    EmuPorts *ports = emu_machine_ports(machine);

    emu_ports_write(ports, 0xCF8, 4, 0x80000000u | devfn << 8 | reg);
    return emu_ports_read(ports, 0xCFC, 4);
}

static inline void pass(uint64_t ns)
{
    EmuClock *clock = emu_machine_clock(machine);

    emu_clock_advance_to(clock, emu_clock_now(clock) + ns);
}

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
