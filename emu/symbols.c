/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of guest addresses, from the symbol tables of loaded ELF files. Asked at start (sym:NAME)
 * and in reports, so a hash serves names and a plain scan serves addresses.
 */
#include "emu/loader-internal.h"

typedef struct Symbol {
    char *name;
    GVirt address;
    uint64_t len;
} Symbol;

struct EmuSymbols {
    GArray *list;        /* of Symbol */
    GHashTable *by_name; /* name (of the list) -> index + 1; the first of several */
};

/* A symbol without a size is believed to reach this far. */
#define DEFAULT_LEN UINT64_C(65536)

static void symbol_clear(void *data)
{
    Symbol *symbol = data;

    g_free(symbol->name);
}

EmuSymbols *emu_symbols_new(void)
{
    EmuSymbols *symbols = g_new0(EmuSymbols, 1);

    symbols->list = g_array_new(FALSE, FALSE, sizeof(Symbol));
    g_array_set_clear_func(symbols->list, symbol_clear);
    symbols->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    return symbols;
}

void emu_symbols_free(EmuSymbols *symbols)
{
    if (symbols == NULL) {
        return;
    }
    g_hash_table_unref(symbols->by_name);
    g_array_unref(symbols->list);
    g_free(symbols);
}

void emu_symbols_add(EmuSymbols *symbols, const char *name, GVirt address, uint64_t len)
{
    Symbol symbol = { .name = g_strdup(name), .address = address, .len = len };

    g_array_append_val(symbols->list, symbol);
    if (!g_hash_table_contains(symbols->by_name, name)) {
        g_hash_table_insert(symbols->by_name, symbol.name, GUINT_TO_POINTER(symbols->list->len));
    }
}

unsigned emu_symbols_count(const EmuSymbols *symbols)
{
    return symbols->list->len;
}

bool emu_symbols_lookup(const EmuSymbols *symbols, const char *name, GVirt *ret_address)
{
    gpointer index = g_hash_table_lookup(symbols->by_name, name);

    if (index == NULL) {
        return false;
    }
    *ret_address = g_array_index(symbols->list, Symbol, GPOINTER_TO_UINT(index) - 1).address;
    return true;
}

const char *emu_symbols_find(const EmuSymbols *symbols, GVirt address, uint64_t *ret_offset)
{
    const Symbol *best = NULL;

    for (unsigned i = 0; i < symbols->list->len; i++) {
        const Symbol *symbol = &g_array_index(symbols->list, Symbol, i);
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
    return best->name;
}
