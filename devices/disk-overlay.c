/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See devices/disk-overlay.h. A layer is an open-addressed table of clusters, grown by doubling
 * through the host's table; a table that cannot grow takes clusters until it is full but for one
 * place, then the write fails.
 *
 * Invariants of a table: its size is 0 or a power of two; at least one place is empty; a cluster
 * lies at the first free place from its hash on. Clusters are never taken out one by one.
 */
#include "devices/disk-overlay.h"

#include "devices/disk.h"
#include "memsys/os.h"

#include <string.h>

typedef struct Cluster {
    uint64_t number;
    uint8_t present; /* bit a sector; never 0 */
    uint8_t data[DEV_CLUSTER_SECTORS * DEV_SECTOR_SIZE];
} Cluster;

struct DevLayer {
    unsigned refs;
    DevLayer *below; /* holds a reference; NULL: the image */
    Cluster **table;
    uint64_t size;
    uint64_t n;
};

struct DevOverlay {
    DevLayer *top; /* written to; nobody else has it */
};

static uint64_t hash(uint64_t number)
{
    number *= UINT64_C(0x9e3779b97f4a7c15);
    return number ^ number >> 32;
}

/* The place of the cluster, or the empty one where it would be. */
static uint64_t find_place(Cluster *const *table, uint64_t size, uint64_t number)
{
    uint64_t at = hash(number) & (size - 1);

    while (table[at] != NULL && table[at]->number != number) {
        at = (at + 1) & (size - 1);
    }
    return at;
}

static Cluster *lookup(const DevLayer *layer, uint64_t number)
{
    return layer->size == 0 ? NULL : layer->table[find_place(layer->table, layer->size, number)];
}

static bool reserve(DevLayer *layer, uint64_t n)
{
    uint64_t size = MAX(layer->size, 16);

    while (size - size / 4 < n) {
        size *= 2;
    }
    if (size == layer->size) {
        return true;
    }
    Cluster **table = mem_os()->try_alloc0(size * sizeof(*table));

    if (table == NULL) {
        return n < layer->size;
    }
    for (uint64_t i = 0; i < layer->size; i++) {
        if (layer->table[i] != NULL) {
            table[find_place(table, size, layer->table[i]->number)] = layer->table[i];
        }
    }
    mem_os()->free(layer->table);
    layer->table = table;
    layer->size = size;
    return true;
}

DevLayer *dev_layer_new(void)
{
    DevLayer *layer = mem_os()->try_alloc0(sizeof(*layer));

    if (layer != NULL) {
        layer->refs = 1;
    }
    return layer;
}

static void clear(DevLayer *layer)
{
    for (uint64_t i = 0; i < layer->size && layer->n > 0; i++) {
        if (layer->table[i] != NULL) {
            mem_os()->free(layer->table[i]);
            layer->table[i] = NULL;
            layer->n--;
        }
    }
    mem_os()->free(layer->table);
    layer->table = NULL;
    layer->size = 0;
}

void dev_layer_unref(DevLayer *layer)
{
    while (layer != NULL && --layer->refs == 0) {
        DevLayer *below = layer->below;

        clear(layer);
        mem_os()->free(layer);
        layer = below;
    }
}

bool dev_layer_write(DevLayer *layer, uint64_t lba, const uint8_t *sector)
{
    uint64_t number = lba / DEV_CLUSTER_SECTORS;
    unsigned index = (unsigned)(lba % DEV_CLUSTER_SECTORS);
    Cluster *cluster = lookup(layer, number);

    if (cluster == NULL) {
        if (!reserve(layer, layer->n + 1)) {
            return false;
        }
        cluster = mem_os()->try_alloc0(sizeof(*cluster));
        if (cluster == NULL) {
            return false;
        }
        cluster->number = number;
        layer->table[find_place(layer->table, layer->size, number)] = cluster;
        layer->n++;
    }
    memcpy(cluster->data + index * DEV_SECTOR_SIZE, sector, DEV_SECTOR_SIZE);
    cluster->present |= (uint8_t)(1u << index);
    return true;
}

/* Sectors that @layer has stay; the others come up from below. Both tables have room. */
static void pour(DevLayer *layer, DevLayer *below)
{
    for (uint64_t i = 0; i < below->size; i++) {
        Cluster *from = below->table[i];

        if (from == NULL) {
            continue;
        }
        uint64_t at = find_place(layer->table, layer->size, from->number);
        Cluster *to = layer->table[at];

        below->table[i] = NULL;
        if (to == NULL) {
            layer->table[at] = from;
            layer->n++;
            continue;
        }
        for (unsigned s = 0; s < DEV_CLUSTER_SECTORS; s++) {
            if ((from->present & ~to->present) >> s & 1) {
                memcpy(to->data + s * DEV_SECTOR_SIZE, from->data + s * DEV_SECTOR_SIZE,
                       DEV_SECTOR_SIZE);
            }
        }
        to->present |= from->present;
        mem_os()->free(from);
    }
    below->n = 0;
}

/* Layers that nobody but the one above holds go into it; without memory they stay, which is only
 * slower. */
static void merge(DevLayer *layer)
{
    while (layer != NULL) {
        DevLayer *below = layer->below;

        if (below == NULL || below->refs != 1) {
            layer = below;
            continue;
        }
        /* The table needs an empty place even when all clusters come up. */
        if (below->n > 0 && !reserve(layer, layer->n + below->n)) {
            layer = below;
            continue;
        }
        if (below->n > 0) {
            pour(layer, below);
        }
        layer->below = below->below;
        below->below = NULL;
        dev_layer_unref(below);
    }
}

DevOverlay *dev_overlay_new(void)
{
    DevOverlay *overlay = g_new0(DevOverlay, 1);

    overlay->top = dev_layer_new();
    if (overlay->top == NULL) {
        g_free(overlay);
        return NULL;
    }
    return overlay;
}

void dev_overlay_free(DevOverlay *overlay)
{
    if (overlay != NULL) {
        dev_layer_unref(overlay->top);
        g_free(overlay);
    }
}

const uint8_t *dev_overlay_lookup(const DevOverlay *overlay, uint64_t lba)
{
    uint64_t number = lba / DEV_CLUSTER_SECTORS;
    unsigned index = (unsigned)(lba % DEV_CLUSTER_SECTORS);

    for (const DevLayer *layer = overlay->top; layer != NULL; layer = layer->below) {
        const Cluster *cluster = lookup(layer, number);

        if (cluster != NULL && (cluster->present >> index & 1) != 0) {
            return cluster->data + index * DEV_SECTOR_SIZE;
        }
    }
    return NULL;
}

bool dev_overlay_write(DevOverlay *overlay, uint64_t lba, const uint8_t *sector)
{
    return dev_layer_write(overlay->top, lba, sector);
}

DevLayer *dev_overlay_freeze(DevOverlay *overlay)
{
    DevLayer *top;

    merge(overlay->top);
    if (overlay->top->n == 0 && overlay->top->below != NULL) {
        overlay->top->below->refs++;
        return overlay->top->below;
    }
    top = dev_layer_new();
    if (top == NULL) {
        return NULL;
    }
    top->below = overlay->top; /* its reference becomes the new top's */
    overlay->top = top;
    top->below->refs++;
    return top->below;
}

void dev_overlay_go_to(DevOverlay *overlay, DevLayer *layer)
{
    DevLayer *old = overlay->top->below;

    clear(overlay->top);
    layer->refs++;
    overlay->top->below = layer;
    dev_layer_unref(old);
}

/* Whether a layer above @layer has the cluster. */
static bool is_above(const DevOverlay *overlay, const DevLayer *layer, uint64_t number)
{
    for (const DevLayer *above = overlay->top; above != layer; above = above->below) {
        if (lookup(above, number) != NULL) {
            return true;
        }
    }
    return false;
}

uint64_t dev_overlay_each(const DevOverlay *overlay, DevClusterFunc func, void *user)
{
    uint64_t n = 0;

    for (const DevLayer *layer = overlay->top; layer != NULL; layer = layer->below) {
        for (uint64_t i = 0; i < layer->size; i++) {
            const Cluster *cluster = layer->table[i];

            if (cluster == NULL || is_above(overlay, layer, cluster->number)) {
                continue;
            }
            n++;
            if (func != NULL) {
                const uint8_t *sectors[DEV_CLUSTER_SECTORS];

                for (unsigned s = 0; s < DEV_CLUSTER_SECTORS; s++) {
                    sectors[s] =
                        dev_overlay_lookup(overlay, cluster->number * DEV_CLUSTER_SECTORS + s);
                }
                func(cluster->number, sectors, user);
            }
        }
    }
    return n;
}

void dev_overlay_merge(DevOverlay *overlay)
{
    merge(overlay->top);
}
