/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sharing by content: machines offer pages, equal ones become one.
 *
 * Most pages are the only ones of their kind. A page is published (and becomes a shared one, whose
 * next write costs a call) only if another with its hash was offered before; a table of fixed size
 * remembers hash and page id of what was offered of late. The id tells a page that is offered again
 * from a second one. An entry that was overwritten, or whose page has changed, costs one more
 * offer, or a page published in vain: nothing else depends on it.
 */
#include "memsys/gmm-internal.h"

#include <string.h>
#include <xxhash.h>

/* Was another page with this hash offered of late? Remembers this one if not. */
static bool seen_before(Gmm *gmm, PageId id, uint64_t hash)
{
    GmmHint *hint = &gmm->content.hints[hash & gmm->content.hint_mask];
    uint32_t tag = (uint32_t)(hash >> 32);

    if (hint->id != 0 && hint->id != id && hint->tag == tag) {
        return true;
    }
    *hint = (GmmHint) { .id = id, .tag = tag };
    return false;
}

/* One more reference to a published page with these bytes. MEM_ERR_NOT_FOUND if there is none. */
static MemStatus merge(GmmVm *vm, uint64_t hash, const void *bytes, PageId *ret_id)
{
    PageId twin = gmm_content_find(vm->gmm, hash, bytes);

    if (twin == MEM_ZERO_PAGE_ID) {
        return MEM_ERR_NOT_FOUND;
    }

    MemStatus status = gmm_ref_locked(vm, twin);

    if (status == MEM_OK) {
        vm->gmm->share_merged++;
        *ret_id = twin;
    }
    return status;
}

MemStatus gmm_vm_share_offer(GmmVm *vm, PageId id, uint64_t hash, GmmShareResult *ret_result,
                             PageId *ret_id)
{
    Gmm *gmm = vm->gmm;
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);
    GmmChunk *chunk;
    uint64_t *rec;
    MemStatus status = gmm_find_private(vm, id, &chunk, &rec);

    if (status != MEM_OK) {
        return status;
    }
    if (gmm_rec_account(*rec) != GMM_ACCOUNT_BASE) {
        return MEM_ERR_WRONG_TYPE;
    }
    gmm->share_offers++;
    if (!gmm_content_ready(gmm)) {
        *ret_result = GMM_SHARE_NOTED; /* nothing was, but the next offer may find memory */
        return MEM_OK;
    }

    status = merge(vm, hash, gmm_page_bytes(gmm, id), ret_id);
    if (status != MEM_ERR_NOT_FOUND) {
        if (status == MEM_OK) {
            *ret_result = GMM_SHARE_MERGED;
        }
        return status;
    }
    *ret_result = GMM_SHARE_NOTED;
    if (seen_before(gmm, id, hash) && gmm_content_has_room(gmm, hash)) {
        gmm_share_private(vm, chunk, rec);
        gmm_content_add(gmm, id, hash);
        *ret_result = GMM_SHARE_PUBLISHED;
    }
    return MEM_OK;
}

/* The image's page that is there already, if it is. */
static MemStatus find_image(GmmVm *vm, uint64_t hash, const void *bytes, PageId *ret_id)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);

    return gmm_content_ready(vm->gmm) ? merge(vm, hash, bytes, ret_id) : MEM_ERR_NOT_FOUND;
}

/* Makes a private page with the image's bytes a shared one, published if there is room. */
static void publish_image(GmmVm *vm, uint64_t hash, PageId id)
{
    Gmm *gmm = vm->gmm;
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);
    GmmChunk *chunk = gmm_chunk_lookup(gmm, id);

    gmm_share_private(vm, chunk, &gmm->records[id]);
    if (gmm_content_ready(gmm) && gmm_content_has_room(gmm, hash)) {
        gmm_content_add(gmm, id, hash);
    }
}

MemStatus gmm_vm_share_image(GmmVm *vm, const void *bytes, PageId *ret_id)
{
    uint64_t hash = XXH3_64bits(bytes, (size_t)MEM_PAGE_SIZE);
    MemStatus status = find_image(vm, hash, bytes, ret_id);
    GmmHandyPage page;

    if (status != MEM_ERR_NOT_FOUND) {
        return status;
    }
    status = gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 1, &page);
    if (status != MEM_OK) {
        return status;
    }
    memcpy(gmm_page_bytes(vm->gmm, page.id), bytes, (size_t)MEM_PAGE_SIZE);
    /* Another machine may have published the same meanwhile: then there are two, no harm. */
    publish_image(vm, hash, page.id);
    *ret_id = page.id;
    return MEM_OK;
}
