/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Info items: the table of their names, and how a request finds its item. What they say is in
 * describe.c (the map), info-map.c (ranges and pages), info-tracking.c (snapshots, dirty clients,
 * heap) and info-pools.c (TLB, page allocator).
 */
#include "memsys/info-internal.h"

#include <string.h>

static void print_stat(const PgmStat *stat, void *user)
{
    g_string_append_printf(user, "%-36s %20" G_GUINT64_FORMAT " %-6s %s\n", stat->name, stat->value,
                           stat->unit, stat->description);
}

static bool print_stats(Pgm *pgm, const char *glob, GString *text, GError **error)
{
    if (pgm_stats_foreach(pgm, glob[0] != '\0' ? glob : NULL, print_stat, text) == 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER,
                    "no counter is called '%s': \"stats\" lists all, \"stats /PGM/*\" some", glob);
        return false;
    }
    return true;
}

static bool print_page(Pgm *pgm, const char *argument, GString *text, GError **error)
{
    const char *digits = argument;
    char *end = NULL;

    if (g_ascii_strncasecmp(digits, "0x", 2) == 0) {
        digits += 2;
    }
    size_t len = strspn(digits, "0123456789abcdefABCDEF");

    if (len == 0 || len > 16 || digits[len] != '\0') {
        g_set_error(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER,
                    "'%s' is no address: hexadecimal, for example \"page 0xfffc0\"", argument);
        return false;
    }
    pgm_info_page(pgm, g_ascii_strtoull(digits, &end, 16), text);
    return true;
}

enum {
    ITEM_PHYS,
    ITEM_PAGE,
    ITEM_ROM,
    ITEM_MMIO,
    ITEM_MMIO2,
    ITEM_HANDLERS,
    ITEM_WATCHES,
    ITEM_TLB,
    ITEM_GMM,
    ITEM_SNAPSHOTS,
    ITEM_DIRTY,
    ITEM_HEAP,
    ITEM_STATS,
    N_ITEMS
};

/* In the order people are told of them. */
static const PgmInfoItem items[N_ITEMS + 1] = {
    [ITEM_PHYS] = { "phys", NULL, "the map: runs of pages of equal type, state, ROM protection" },
    [ITEM_PAGE] = { "page", "ADDRESS", "everything about one guest-physical page" },
    [ITEM_ROM] = { "rom", NULL, "ROM ranges, and what reads and writes of them reach" },
    [ITEM_MMIO] = { "mmio", NULL, "MMIO ranges: where, access sizes, device memory shown inside" },
    [ITEM_MMIO2] = { "mmio2", NULL, "device memory: where, how much of it, dirty pages" },
    [ITEM_HANDLERS] = { "handlers", NULL, "access handlers" },
    [ITEM_WATCHES] = { "watches", NULL, "watches of physical ranges, and of a CPU's addresses" },
    [ITEM_TLB] = { "tlb", NULL, "the page-map TLB: size, entries in use, fills and flushes" },
    [ITEM_GMM] = { "gmm", NULL, "the page allocator: totals, this machine, chunks by fullness" },
    [ITEM_SNAPSHOTS] = { "snapshots", NULL, "the tree of snapshots, and what they hold" },
    [ITEM_DIRTY] = { "dirty", NULL, "dirty clients, and how many pages each has to ask for" },
    [ITEM_HEAP] = { "heap", NULL, "the machine's tagged heap, by tag" },
    [ITEM_STATS] = { "stats", "GLOB", "counters by name; all of them without GLOB" },
};

/* Those that are missing take an argument. */
static void (*const printers[N_ITEMS])(Pgm *pgm, GString *text) = {
    [ITEM_PHYS] = pgm_print_map,
    [ITEM_ROM] = pgm_info_rom,
    [ITEM_MMIO] = pgm_info_mmio,
    [ITEM_MMIO2] = pgm_info_mmio2,
    [ITEM_HANDLERS] = pgm_info_handlers,
    [ITEM_WATCHES] = pgm_info_watches,
    [ITEM_TLB] = pgm_info_tlb,
    [ITEM_GMM] = pgm_info_gmm,
    [ITEM_SNAPSHOTS] = pgm_info_snapshots,
    [ITEM_DIRTY] = pgm_info_dirty,
    [ITEM_HEAP] = pgm_info_heap,
};

const PgmInfoItem *pgm_info_items(void)
{
    return items;
}

static bool refuse(const char *request, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (const PgmInfoItem *item = items; item->name != NULL; item++) {
        g_string_append_printf(names, "%s%s%s%s", item == items ? "" : ", ", item->name,
                               item->argument ? " " : "", item->argument ? item->argument : "");
    }
    g_set_error(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER,
                "there is no info item '%s'; there are %s", request, names->str);
    return false;
}

bool pgm_info(Pgm *pgm, const char *request, GString *text, GError **error)
{
    g_autofree char *words = g_strstrip(g_strdup(request));
    size_t len = strcspn(words, " ");
    const char *argument = words + len + strspn(words + len, " ");
    unsigned i = 0;

    while (i < N_ITEMS &&
           (strlen(items[i].name) != len || memcmp(items[i].name, words, len) != 0)) {
        i++;
    }
    if (i == N_ITEMS) {
        return refuse(words, error);
    }
    if (i == ITEM_PAGE) {
        return print_page(pgm, argument, text, error);
    }
    if (i == ITEM_STATS) {
        return print_stats(pgm, argument, text, error);
    }
    if (argument[0] != '\0') {
        g_set_error(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER,
                    "info item '%s' takes nothing behind it: leave '%s' away", items[i].name,
                    argument);
        return false;
    }
    printers[i](pgm, text);
    return true;
}
