/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ELF files: segments to their physical addresses, symbols into a table.
 *
 * Source: the System V ABI, chapters 4 and 5 (object files, program loading), through libelf.
 */
#include "emu/loader-internal.h"

#include "memsys/access.h"
#include "memsys/os.h"
#include "memsys/planted.h"

#include <gelf.h>
#include <inttypes.h>
#include <string.h>

#define MAX_SEGMENTS 256
/* Of a whole file. Names may lie inside each other, so that a small file could make many bytes of
 * them. */
#define MAX_SYMBOLS (1u << 20)
#define MAX_SYMBOL_NAME 4096
#define MAX_SYMBOL_BYTES (UINT64_C(256) << 20)

bool emu_is_elf(GBytes *file)
{
    size_t len;
    const uint8_t *bytes = g_bytes_get_data(file, &len);

    return len >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0;
}

typedef struct ElfImage {
    const char *path;
    const uint8_t *bytes;
    size_t len;
    Elf *elf;
    GElf_Ehdr header;
    size_t n_segments;
} ElfImage;

static bool bad(const ElfImage *image, GError **error, const char *what)
{
    g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "%s: %s", image->path, what);
    return false;
}

static bool check_header(ElfImage *image, GError **error)
{
    if (image->elf == NULL || elf_kind(image->elf) != ELF_K_ELF ||
        gelf_getehdr(image->elf, &image->header) == NULL) {
        return bad(image, error, "the ELF header at offset 0 is damaged");
    }
    if (image->header.e_ident[EI_DATA] != ELFDATA2LSB ||
        (image->header.e_machine != EM_386 && image->header.e_machine != EM_X86_64)) {
        return bad(image, error, "is an ELF file for another machine than x86");
    }
    if (image->header.e_type != ET_EXEC && image->header.e_type != ET_DYN) {
        return bad(image, error, "is an ELF file that cannot be executed (link it first)");
    }
    if (elf_getphdrnum(image->elf, &image->n_segments) != 0 || image->n_segments == 0 ||
        image->n_segments > MAX_SEGMENTS) {
        return bad(image, error, "has no usable program headers");
    }
    return true;
}

static bool check_segment(const ElfImage *image, EmuMachine *machine, size_t index,
                          const GElf_Phdr *segment, GError **error)
{
    if (segment->p_filesz > segment->p_memsz) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                    "%s: segment %zu has more bytes in the file (0x%" PRIx64
                    ") than in memory (0x%" PRIx64 ")",
                    image->path, index, (uint64_t)segment->p_filesz, (uint64_t)segment->p_memsz);
        return false;
    }
    if (segment->p_offset > image->len ||
        segment->p_filesz > image->len - QUIRE_PLANTED(elf, segment->p_offset, 0)) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                    "%s: segment %zu wants 0x%" PRIx64 " bytes at file offset 0x%" PRIx64
                    ", the file has 0x%zx",
                    image->path, index, (uint64_t)segment->p_filesz, (uint64_t)segment->p_offset,
                    image->len);
        return false;
    }
    if (!emu_loader_is_ram(machine, segment->p_paddr, segment->p_memsz)) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "%s: segment %zu at 0x%" PRIx64 "+0x%" PRIx64 " is not all RAM of this machine",
                    image->path, index, (uint64_t)segment->p_paddr, (uint64_t)segment->p_memsz);
        return false;
    }
    return true;
}

static bool is_loaded(const GElf_Phdr *segment)
{
    return segment->p_type == PT_LOAD && (segment->p_memsz > 0 || segment->p_filesz > 0);
}

/* Of two segments in the same place the order of the headers would decide what stays: neither is
 * right. */
static bool check_overlap(const ElfImage *image, GError **error)
{
    for (size_t i = 0; i < image->n_segments; i++) {
        for (size_t j = 0; j < i; j++) {
            GElf_Phdr a;
            GElf_Phdr b;

            if (gelf_getphdr(image->elf, (int)i, &a) == NULL || !is_loaded(&a) ||
                gelf_getphdr(image->elf, (int)j, &b) == NULL || !is_loaded(&b)) {
                continue;
            }
            /* Both lie in RAM, so neither end wraps. */
            if (a.p_paddr < b.p_paddr + b.p_memsz && b.p_paddr < a.p_paddr + a.p_memsz) {
                g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                            "%s: segments %zu and %zu overlap at physical address 0x%" PRIx64,
                            image->path, j, i, (uint64_t)MAX(a.p_paddr, b.p_paddr));
                return false;
            }
        }
    }
    return true;
}

/* Walks the loadable segments; @load writes them, else they are only checked. */
static bool each_segment(const ElfImage *image, EmuMachine *machine, bool load, GError **error)
{
    unsigned n = 0;

    for (size_t i = 0; i < image->n_segments; i++) {
        GElf_Phdr segment;

        if (gelf_getphdr(image->elf, (int)i, &segment) == NULL) {
            return bad(image, error, "a program header lies outside the file");
        }
        if (!is_loaded(&segment)) {
            continue;
        }
        n++;
        if (!load) {
            if (!check_segment(image, machine, i, &segment, error)) {
                return false;
            }
            continue;
        }
        uint64_t rest = segment.p_memsz - segment.p_filesz;

        if (!emu_loader_write(machine, segment.p_paddr, image->bytes + segment.p_offset,
                              segment.p_filesz, image->path, error)) {
            return false;
        }
        /* RAM may hold something already: what the file does not give reads zero. */
        if (rest > 0 && pgm_fill(emu_machine_pgm(machine), segment.p_paddr + segment.p_filesz, 0,
                                 rest, MEM_ORIGIN_LOADER) != MEM_OK) {
            return bad(image, error, "no memory for its zero bytes");
        }
    }
    return n > 0 || bad(image, error, "has nothing to load");
}

/* Keeps the symbol if it names a place in the program and is not beyond the limits. False: the host
 * has no memory. */
static bool add_symbol(const ElfImage *image, const GElf_Sym *symbol, size_t strings,
                       EmuSymbols *symbols, uint64_t *n_bytes)
{
    if (symbol->st_shndx == SHN_UNDEF || GELF_ST_TYPE(symbol->st_info) > STT_FUNC) {
        return true;
    }
    const char *name = elf_strptr(image->elf, strings, symbol->st_name);
    size_t len = name != NULL ? strnlen(name, MAX_SYMBOL_NAME) : 0;

    if (len == 0 || len == MAX_SYMBOL_NAME || len > MAX_SYMBOL_BYTES - *n_bytes ||
        emu_symbols_count(symbols) == MAX_SYMBOLS) {
        return true;
    }
    *n_bytes += len;
    return emu_symbols_add(symbols, name, symbol->st_value, symbol->st_size);
}

static bool read_symbols(const ElfImage *image, EmuSymbols *symbols, GError **error)
{
    Elf_Scn *section = NULL;
    uint64_t n_bytes = 0;

    while ((section = elf_nextscn(image->elf, section)) != NULL) {
        GElf_Shdr header;
        Elf_Data *data;

        if (gelf_getshdr(section, &header) == NULL || header.sh_type != SHT_SYMTAB ||
            header.sh_entsize == 0 || (data = elf_getdata(section, NULL)) == NULL) {
            continue;
        }
        uint64_t n = MIN(data->d_size / header.sh_entsize, MAX_SYMBOLS);

        for (uint64_t i = 0; i < n; i++) {
            GElf_Sym symbol;

            if (gelf_getsym(data, (int)i, &symbol) != NULL &&
                !add_symbol(image, &symbol, header.sh_link, symbols, &n_bytes)) {
                return bad(image, error, "its symbols do not fit into this host's memory");
            }
        }
    }
    return true;
}

bool emu_load_elf(EmuMachine *machine, const char *path, EmuSymbols *symbols, GVirt *ret_entry,
                  GError **error)
{
    g_autoptr(GBytes) file = emu_file_read(path, EMU_LOADER_MAX_FILE, error);
    ElfImage image = { .path = path };

    if (file == NULL) {
        return false;
    }
    image.bytes = g_bytes_get_data(file, &image.len);
    if (!emu_is_elf(file)) {
        return bad(&image, error, "is not an ELF file");
    }
    elf_version(EV_CURRENT);

    /* libelf may write to what it is given: a copy. */
    const MemOs *os = mem_os();
    char *copy = os->try_alloc0(image.len);

    if (copy == NULL) {
        return bad(&image, error, "does not fit into this host's memory");
    }
    memcpy(copy, image.bytes, image.len);
    image.elf = elf_memory(copy, image.len);

    bool ok = check_header(&image, error) && each_segment(&image, machine, false, error) &&
              check_overlap(&image, error) &&
              (symbols == NULL || read_symbols(&image, symbols, error)) &&
              each_segment(&image, machine, true, error);

    if (ok) {
        *ret_entry = image.header.e_entry;
    }
    elf_end(image.elf);
    os->free(copy);
    return ok;
}
