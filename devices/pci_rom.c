/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An expansion ROM of a PCI function.
 *
 *   0x30  31..n address | n-1..1 0 | 0 shown     (2^n bytes: the image filled up, at least a page)
 *
 * The image is device memory (memsys/mmio2.h) whose writes end in a handler that drops them, so
 * that the guest reads it as fast as RAM. Firmware copies a ROM of 64 KiB in doublewords: 16,384
 * catches if it were MMIO.
 *
 * Where it is mapped: devices/pci_bar.h.
 *
 * Source: PCI Local Bus Specification 2.2, sections 6.2.5.2 (the register) and 6.3 (header and data
 * structure of an image).
 */
#include "devices/pci_rom.h"

#include "devices/rom_image.h"
#include "emu/error.h"
#include "memsys/handler.h"
#include "memsys/mmio2.h"

#include <string.h>

#define SHOWN 1u
#define ROM_REGION 6 /* behind the six BARs */
#define IMAGE_UNIT 512u
#define HEADER_LEN 26u /* up to the pointer to the data structure */
#define HEADER_DATA 24
#define DATA_LEN 24u
#define DATA_VENDOR 4
#define DATA_DEVICE 6
#define DATA_IMAGE_LEN 16
#define DATA_INDICATOR 21
#define DATA_LAST 0x80u

/* Where nothing lies in any machine: the handler needs a place when it is made. */
#define BIRTHPLACE ((UINT64_C(1) << MEM_GPHYS_BITS) - DEV_PCI_ROM_MAX_LEN)

struct DevPciRom {
    DevPciBar bar;
    PgmMmio2 *memory;
    PgmHandler *guard;
};

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] | (unsigned)at[1] << 8;
}

/*
 * Looks through the images of the file for one that names the function. Firmware passes over those
 * that do not, without a word.
 */
static bool check_data(const uint8_t *image, size_t len, const DevPciFunction *function,
                       const char *name, GError **error)
{
    unsigned vendor = (unsigned)dev_pci_get(function, DEV_PCI_VENDOR_ID, 2);
    unsigned device = (unsigned)dev_pci_get(function, DEV_PCI_DEVICE_ID, 2);
    const uint8_t *first = NULL;

    for (size_t at = 0; len - at >= HEADER_LEN && image[at] == 0x55 && image[at + 1] == 0xAA;) {
        size_t data = at + get16(image + at + HEADER_DATA);

        if (data > len || len - data < DATA_LEN || memcmp(image + data, "PCIR", 4) != 0) {
            break;
        }
        if (get16(image + data + DATA_VENDOR) == vendor &&
            get16(image + data + DATA_DEVICE) == device) {
            return true;
        }
        first = first != NULL ? first : image + data;

        size_t image_len = get16(image + data + DATA_IMAGE_LEN) * (size_t)IMAGE_UNIT;

        if ((image[data + DATA_INDICATOR] & DATA_LAST) != 0 || image_len == 0 ||
            image_len > len - at) {
            break;
        }
        at += image_len;
    }
    if (first == NULL) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "%s: no PCI data structure (PCIR) in its header: not the ROM of a PCI card",
                    name);
    } else {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "%s: made for card %04x:%04x, this one is %04x:%04x", name,
                    get16(first + DATA_VENDOR), get16(first + DATA_DEVICE), vendor, device);
    }
    return false;
}

static bool check_image(const uint8_t *image, size_t len, const DevPciFunction *function,
                        const char *name, GError **error)
{
    if (len > DEV_PCI_ROM_MAX_LEN) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "%s: %zu bytes; an expansion ROM has at most %zu", name, len,
                    DEV_PCI_ROM_MAX_LEN);
        return false;
    }
    /* Whose length is not 0 has room for more than the header. */
    return dev_rom_image_check(image, len, name, error) &&
           check_data(image, len, function, name, error);
}

static PgmHandlerResult drop_write(Pgm *pgm, const PgmHandlerAccess *access, void *user)
{
    (void)pgm;
    (void)access;
    (void)user;
    return PGM_HANDLER_HANDLED;
}

static bool add_guard(DevPciRom *rom, uint64_t size, const char *name, GError **error)
{
    if (pgm_mmio2_map(rom->memory, BIRTHPLACE, error) != MEM_OK) {
        return false;
    }
    rom->guard = pgm_handler_new(rom->bar.pgm, PGM_HANDLER_KIND_WRITE, BIRTHPLACE, size, drop_write,
                                 rom, name, error);

    MemStatus status = pgm_mmio2_unmap(rom->memory);

    g_assert(status == MEM_OK);
    return rom->guard != NULL;
}

static void set_register(DevPciFunction *function, uint64_t size)
{
    uint32_t writable = ~(uint32_t)(size - 1) | SHOWN;

    for (unsigned i = 0; i < 4; i++) {
        function->writable[DEV_PCI_ROM_REG + i] = (uint8_t)(writable >> (8 * i));
    }
}

DevPciRom *dev_pci_rom_new(DevPciFunction *function, Pgm *pgm, const void *image, size_t len,
                           const char *owner, const char *name, GError **error)
{
    if (!check_image(image, len, function, name, error)) {
        return NULL;
    }

    uint64_t size = MEM_PAGE_SIZE;

    while (size < len) {
        size *= 2;
    }

    DevPciRom *rom = g_new0(DevPciRom, 1);

    rom->bar = (DevPciBar) {
        .function = function, .pgm = pgm, .reg = DEV_PCI_ROM_REG, .shown = SHOWN, .len = size
    };
    rom->memory = pgm_mmio2_new(pgm, owner, ROM_REGION, size, false, name, error);
    if (rom->memory == NULL || !add_guard(rom, size, name, error)) {
        g_prefix_error(error, "%s: ", name);
        dev_pci_rom_free(rom);
        return NULL;
    }
    rom->bar.mmio2 = rom->memory;
    memcpy(pgm_mmio2_host(rom->memory), image, len);
    memset(pgm_mmio2_host(rom->memory) + len, 0xFF, size - len);
    set_register(function, size);
    return rom;
}

void dev_pci_rom_free(DevPciRom *rom)
{
    if (rom == NULL) {
        return;
    }
    pgm_handler_free(rom->guard);
    pgm_mmio2_free(rom->memory);
    g_free(rom);
}

const DevPciBar *dev_pci_rom_bar(const DevPciRom *rom)
{
    return &rom->bar;
}
