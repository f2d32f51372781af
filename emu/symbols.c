/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of guest addresses, from the symbol tables of loaded ELF files. Asked a few times a run
 * (sym:NAME, reports), so plain scans serve names and addresses. A file decides how many there are:
 * both arrays grow through the host's hooks and may fail to.
 */
#include "emu/loader-internal.h"

#include "memsys/os.h"

#include <string.h>

typedef struct Symbol {
    uint32_t name; /* offset in names */
    GVirt address;
    uint64_t len;
} Symbol;

struct EmuSymbols {
    Symbol *list;
    size_t n_bytes_list; /* room */
    unsigned n;
    char *names;          /* one behind the other, each with its NUL */
    size_t n_bytes_names; /* room */
    size_t names_len;
};

/* A symbol without a size is believed to reach this far. */
#define DEFAULT_LEN UINT64_C(65536)
#define FIRST_ROOM 4096

EmuSymbols *emu_symbols_new(void)
{
    return g_new0(EmuSymbols, 1);
}

void emu_symbols_free(EmuSymbols *symbols)
{
    if (symbols == NULL) {
        return;
    }
    mem_os()->free(symbols->list);
    mem_os()->free(symbols->names);
    g_free(symbols);
}

/* Makes room for @used + @more bytes; on failure false, and the array is as it was. */
static bool make_room(void **array, size_t *room, size_t used, size_t more)
{
    size_t wanted = MAX(*room, FIRST_ROOM);

    if (more <= *room - used) {
        return true;
    }
    while (wanted - used < more) {
        wanted *= 2;
    }

    void *grown = mem_os()->try_realloc(*array, wanted);

    if (grown == NULL) {
        return false;
    }
    *array = grown;
    *room = wanted;
    return true;
}

bool emu_symbols_add(EmuSymbols *symbols, const char *name, GVirt address, uint64_t len)
{
    size_t name_len = strlen(name) + 1;
    void *list = symbols->list;
    void *names = symbols->names;

    if (symbols->names_len + name_len > UINT32_MAX ||
        !make_room(&list, &symbols->n_bytes_list, symbols->n * sizeof(Symbol), sizeof(Symbol))) {
        return false;
    }
    symbols->list = list;
    if (!make_room(&names, &symbols->n_bytes_names, symbols->names_len, name_len)) {
        return false;
    }
    symbols->names = names;
    memcpy(symbols->names + symbols->names_len, name, name_len);
    symbols->list[symbols->n++] = (Symbol) {
        .name = (uint32_t)symbols->names_len,
        .address = address,
        .len = len,
    };
    symbols->names_len += name_len;
    return true;
}

unsigned emu_symbols_count(const EmuSymbols *symbols)
{
    return symbols->n;
}

bool emu_symbols_lookup(const EmuSymbols *symbols, const char *name, GVirt *ret_address)
{
    for (unsigned i = 0; i < symbols->n; i++) {
        if (strcmp(symbols->names + symbols->list[i].name, name) == 0) {
            *ret_address = symbols->list[i].address;
            return true;
        }
    }
    return false;
}

const char *emu_symbols_find(const EmuSymbols *symbols, GVirt address, uint64_t *ret_offset)
{
    const Symbol *best = NULL;

    for (unsigned i = 0; i < symbols->n; i++) {
        const Symbol *symbol = &symbols->list[i];
        uint64_t len = symbol->len != 0 ? symbol->len : DEFAULT_LEN;

        if (symbol->address <= address && address - symbol->address < len &&
            (best == NULL || symbol->address > best->address)) {
            best = symbol;
        }
    }
    if (best == NULL) {
        return NULL;
    }
    *ret_offset = address - best->address;
    return symbols->names + best->name;
}
