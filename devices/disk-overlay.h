/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest wrote to a disk whose image must not change: layers of sectors, the newest on top.
 * The top layer takes writes; a snapshot freezes it and puts an empty one above. Layers are shared:
 * by snapshots, and by the layers above them.
 *
 *      image <- A (snapshot 1) <- B (snapshot 2) <- top
 *                \
 *                 C (snapshot 3)
 *
 * A frozen layer that only one layer above holds is poured into that one. Memory is that of the
 * sectors written, in clusters, and comes from the host's table (memsys/os.h): a write that finds
 * none fails.
 *
 * Source: ours.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define DEV_CLUSTER_SECTORS 8

typedef struct DevOverlay DevOverlay;
typedef struct DevLayer DevLayer;

DevOverlay *dev_overlay_new(void);
void dev_overlay_free(DevOverlay *overlay); /* (nullable) */

/* The sector, good until the next call; NULL: the image has it. */
const uint8_t *dev_overlay_lookup(const DevOverlay *overlay, uint64_t lba);
/* False: no memory, and nothing has changed. */
bool dev_overlay_write(DevOverlay *overlay, uint64_t lba, const uint8_t *sector);

/* What the overlay holds now; (transfer full): drop with dev_layer_unref(). NULL: no memory. */
DevLayer *dev_overlay_freeze(DevOverlay *overlay);
/* Makes it hold what it held then. Cannot fail. */
void dev_overlay_go_to(DevOverlay *overlay, DevLayer *layer);
void dev_layer_unref(DevLayer *layer);

/* Layers that are only held by the one above are poured into it: after one was dropped. */
void dev_overlay_merge(DevOverlay *overlay);

/* ---- for files */

/* Sectors of cluster @number; NULL: the image has it. */
typedef void (*DevClusterFunc)(uint64_t number, const uint8_t *const *sectors, void *user);

/* Each cluster that holds any sector, once. @func: (nullable). Returns: how many there are */
uint64_t dev_overlay_each(const DevOverlay *overlay, DevClusterFunc func, void *user);

/* A layer above nothing, to be filled and then gone to. NULL: no memory. */
DevLayer *dev_layer_new(void);
bool dev_layer_write(DevLayer *layer, uint64_t lba, const uint8_t *sector);
