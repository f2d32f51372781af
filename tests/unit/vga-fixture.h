/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the VGA share: a machine with RAM, the host bridge and the VGA, whose CPU never
 * runs; registers by name.
 */
#pragma once

#include "devices/i440fx.h"
#include "devices/vga.h"
#include "emu/machine.h"
#include "memsys/access.h"
#include "memsys/mmio2.h"

/* Ports, clock and bus of that file are the machine's here. */
#include "pci-fixture.h"

#define VGA DEV_PCI_DEVFN(2, 0)
#define WINDOW UINT64_C(0xA0000)
#define WINDOW_LEN UINT64_C(0x20000)
#define RAM_TOP UINT64_C(0x3000000)
#define LFB UINT64_C(0xE0000000)
#define REGISTERS UINT64_C(0xFEB00000)

/* VBE registers. */
enum { ID, XRES, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, VIRT_HEIGHT, X_OFFSET, Y_OFFSET, MEMORY_64K };
enum { ON = 0x01, CAPS = 0x02, DAC8 = 0x20, LINEAR = 0x40, KEEP = 0x80 };

static EmuMachine *machine;
static Pgm *pgm;
static DevI440fx *bridge;
static DevVga *vga;

static inline void free_chips(gpointer data)
{
    (void)data;
    dev_vga_free(vga);
    dev_i440fx_free(bridge);
    dev_pci_bus_free(bus);
}

static inline void vga_setup_with(const DevVgaConfig *config)
{
    static const EmuStateUnit units[] = {
        { .name = "pci", .version = 1, .parts = dev_pci_bus_parts },
        { .name = "i440fx", .version = 1, .parts = dev_i440fx_parts, .loaded = dev_i440fx_loaded },
        { .name = "vga",
          .version = 1,
          .parts = dev_vga_parts,
          .check = dev_vga_check,
          .loaded = dev_vga_loaded },
    };
    g_autoptr(GError) error = NULL;

    machine = emu_machine_new(NULL, NULL);
    ck_assert_ptr_nonnull(machine);
    pgm = emu_machine_pgm(machine);
    ports = emu_machine_ports(machine);
    emu_clock = emu_machine_clock(machine);
    ck_assert_int_eq(pgm_ram_register(pgm, 0, WINDOW, "low", NULL), MEM_OK);
    ck_assert_int_eq(pgm_ram_register(pgm, 0x100000, RAM_TOP - 0x100000, "high", NULL), MEM_OK);
    bus = dev_pci_bus_new(ports, NULL);
    bridge = dev_i440fx_new(bus, pgm, NULL);
    vga = dev_vga_new(bus, VGA, pgm, ports, emu_clock, config, &error);
    ck_assert_msg(vga != NULL, "%s", error != NULL ? error->message : "no message");
    dev_i440fx_set_smram_line(bridge, dev_vga_pin_window_taken(vga));
    emu_machine_on_reset(machine, dev_i440fx_reset, bridge);
    emu_machine_on_reset(machine, dev_vga_reset, vga);
    emu_machine_on_free(machine, free_chips, NULL);
    emu_machine_add_state(machine, &units[0], bus);
    emu_machine_add_state(machine, &units[1], bridge);
    emu_machine_add_state(machine, &units[2], vga);
    ck_assert_int_eq(emu_machine_reset(machine), MEM_OK);
}

static inline void vga_setup(void)
{
    vga_setup_with(NULL);
}

static inline void vga_teardown(void)
{
    g_autoptr(GString) report = g_string_new(NULL);

    ck_assert_msg(pgm_verify(pgm, report) == 0, "%s", report->str);
    g_clear_pointer(&machine, emu_machine_free);
}

/* ---- registers */

static inline void misc(unsigned value)
{
    out8(0x3C2, value);
}

static inline void seq(unsigned index, unsigned value)
{
    out8(0x3C4, index);
    out8(0x3C5, value);
}

static inline void gfx(unsigned index, unsigned value)
{
    out8(0x3CE, index);
    out8(0x3CF, value);
}

/* Where misc() put it. */
static inline uint16_t crtc_port(void)
{
    return (in8(0x3CC) & 1) != 0 ? 0x3D4 : 0x3B4;
}

static inline void crtc(unsigned index, unsigned value)
{
    out8(crtc_port(), index);
    out8((uint16_t)(crtc_port() + 1), value);
}

static inline uint8_t crtc_get(unsigned index)
{
    out8(crtc_port(), index);
    return in8((uint16_t)(crtc_port() + 1));
}

static inline void vbe(unsigned index, unsigned value)
{
    emu_ports_write(ports, 0x1CE, 2, index);
    emu_ports_write(ports, 0x1D0, 2, value);
}

static inline unsigned vbe_get(unsigned index)
{
    emu_ports_write(ports, 0x1CE, 2, index);
    return emu_ports_read(ports, 0x1CF, 2);
}

static inline void vbe_mode(unsigned width, unsigned height, unsigned bpp, unsigned flags)
{
    vbe(ENABLE, 0);
    vbe(XRES, width);
    vbe(YRES, height);
    vbe(BPP, bpp);
    vbe(ENABLE, ON | LINEAR | flags);
}

/* As the video BIOS sets mode 13h, as far as memory is concerned: chained, at A0000. */
static inline void set_chained(void)
{
    misc(0x63);
    seq(2, 0x0F);
    seq(4, 0x0E);
    gfx(5, 0x40);
    gfx(6, 0x05);
}

/* Mode 12h likewise: planes. */
static inline void set_planar(void)
{
    misc(0xE3);
    seq(2, 0x0F);
    seq(4, 0x06);
    gfx(5, 0x00);
    gfx(6, 0x05);
    gfx(8, 0xFF);
}

/* Mode 3. */
static inline void set_text(void)
{
    misc(0x67);
    seq(2, 0x03);
    seq(4, 0x02);
    gfx(5, 0x10);
    gfx(6, 0x0E);
    gfx(8, 0xFF);
}

/* ---- memory */

static inline PgmMmio2 *video_memory(void)
{
    return pgm_mmio2_lookup(pgm, "vga", 0);
}

static inline uint8_t *video_bytes(void)
{
    return pgm_mmio2_host(video_memory());
}

/* Every 4 KiB of video memory begins with its number. */
static inline void number_pages(void)
{
    ck_assert_int_eq(pgm_mmio2_mark_dirty(video_memory(), 0, DEV_VGA_MEMORY_LEN), MEM_OK);
    for (uint32_t i = 0; i < DEV_VGA_MEMORY_LEN / MEM_PAGE_SIZE; i++) {
        memcpy(video_bytes() + i * MEM_PAGE_SIZE, &i, sizeof i);
    }
}

static inline void write8(GPhys gpa, uint8_t value)
{
    ck_assert_int_eq(pgm_write_u8_as(pgm, gpa, value, MEM_ORIGIN_CPU), MEM_OK);
}

static inline uint8_t read8(GPhys gpa)
{
    return pgm_read_u8_as(pgm, gpa, MEM_ORIGIN_CPU);
}

static inline uint32_t read32(GPhys gpa)
{
    return pgm_read_u32_as(pgm, gpa, MEM_ORIGIN_CPU);
}

/* What lies at @gpa is the range described so; NULL: nothing does. */
static inline void check_lies(GPhys gpa, const char *description)
{
    PgmPageInfo info;
    const char *there = pgm_page_query(pgm, gpa, &info) ? info.range.description : NULL;

    ck_assert_msg(g_strcmp0(there, description) == 0, "%s lies at %#lx",
                  there != NULL ? there : "nothing", (unsigned long)gpa);
}

static inline bool is_alias(GPhys gpa)
{
    PgmPageInfo info;

    return pgm_page_query(pgm, gpa, &info) && info.type == PGM_PAGE_MMIO2_ALIAS;
}

/* Pages of video memory stand in the window exactly at [@start, @start + @len), @first and on. */
static inline void check_pages(GPhys start, uint64_t len, uint32_t first)
{
    for (GPhys gpa = WINDOW; gpa < WINDOW + WINDOW_LEN; gpa += MEM_PAGE_SIZE) {
        bool within = gpa >= start && gpa - start < len;

        if (is_alias(gpa) != within ||
            (within && read32(gpa) != first + (gpa - start) / MEM_PAGE_SIZE)) {
            ck_abort_msg("the page at %#lx is wrong", (unsigned long)gpa);
        }
    }
}

static inline void place_bars(GPhys memory, GPhys registers)
{
    config_write(VGA, 4, 2, 0);
    config_write(VGA, 0x10, 4, (uint32_t)memory);
    config_write(VGA, 0x18, 4, (uint32_t)registers);
    config_write(VGA, 4, 2, 2);
}
