/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ELF files, into a machine with a little RAM. Input: the file.
 *
 * Checked: a file that is refused has changed nothing; of one that is taken, each segment is where
 * its header says, found by a reading of our own.
 */
#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/loader-machine.h"

#include <elf.h>

/* A loadable segment of either class. */
typedef struct Segment {
    bool loadable;
    uint64_t offset, address, file_len, memory_len;
} Segment;

static Segment read_segment(const uint8_t *at, bool is_64)
{
    if (is_64) {
        Elf64_Phdr header;

        memcpy(&header, at, sizeof header);
        return (Segment) { header.p_type == PT_LOAD, header.p_offset, header.p_paddr,
                           header.p_filesz, header.p_memsz };
    }

    Elf32_Phdr header;

    memcpy(&header, at, sizeof header);
    return (Segment) { header.p_type == PT_LOAD, header.p_offset, header.p_paddr, header.p_filesz,
                       header.p_memsz };
}

static void check_segment(const uint8_t *file, size_t len, const Segment *segment)
{
    fuzz_check(segment->offset <= len && segment->file_len <= len - segment->offset,
               "a segment behind the end was loaded");
    fuzz_check(loader_holds(segment->address, file + segment->offset, segment->file_len),
               "segment at %#lx differs", (unsigned long)segment->address);
    fuzz_check(loader_holds_zeros(segment->address + segment->file_len,
                                  segment->memory_len - segment->file_len),
               "segment at %#lx has no zeros behind it", (unsigned long)segment->address);
}

/* Only headers of the usual sizes; what libelf makes of others is its own. */
static void check_loaded(const uint8_t *file, size_t len)
{
    bool is_64 = file[EI_CLASS] == ELFCLASS64;
    Elf64_Ehdr header;
    Elf32_Ehdr header32;
    size_t entry_len = is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

    if (is_64) {
        memcpy(&header, file, sizeof header);
    } else {
        memcpy(&header32, file, sizeof header32);
        header = (Elf64_Ehdr) { .e_phoff = header32.e_phoff,
                                .e_phentsize = header32.e_phentsize,
                                .e_phnum = header32.e_phnum };
    }
    if (header.e_phentsize != entry_len || header.e_phnum == PN_XNUM || header.e_phoff > len ||
        header.e_phnum > (len - header.e_phoff) / entry_len) {
        return;
    }
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Segment segment = read_segment(file + header.e_phoff + i * entry_len, is_64);

        if (segment.loadable && segment.memory_len > 0) {
            check_segment(file, len, &segment);
        }
    }
}

static void use_symbols(const EmuSymbols *symbols, GVirt entry)
{
    uint64_t offset;
    const char *name = emu_symbols_find(symbols, entry, &offset);
    GVirt address;

    if (name != NULL) {
        fuzz_check(emu_symbols_lookup(symbols, name, &address), "\"%s\" has no address", name);
    }
    fuzz_check(!emu_symbols_lookup(symbols, "", &address), "a symbol without a name");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    EmuMachine *machine = loader_machine_clean();
    EmuSymbols *symbols = emu_symbols_new();
    GVirt entry = 0;
    g_autoptr(GError) error = NULL;

    loader_file(0, data, size);
    if (emu_load_elf(machine, "mem:0", symbols, &entry, &error)) {
        check_loaded(data, size);
        use_symbols(symbols, entry);
    } else {
        fuzz_check(error != NULL && error->message[0] != '\0', "no message");
        fuzz_check(loader_n_written() == 0, "a refused file changed memory: %s", error->message);
    }
    emu_symbols_free(symbols);
    loader_file(0, NULL, 0);
    return 0;
}
