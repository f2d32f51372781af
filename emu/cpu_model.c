/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU models by name. What a model has is asked of the engine by CPUID, not listed here. */
#include "emu/machine-internal.h"

static const EmuCpuModel models[] = {
    { "qemu32", "32-bit, PAE, SSE3 (default)" },
    { "qemu64", "64-bit, NX" },
    { "486", "Intel 486" },
    { "pentium", "Intel Pentium" },
    { "pentium2", "Intel Pentium II" },
    { "pentium3", "Intel Pentium III" },
    { "coreduo", "Intel Core Duo, 32-bit" },
    { "n270", "Intel Atom N270, 32-bit" },
    { "core2duo", "Intel Core 2 Duo" },
    { "nehalem", "Intel Core i7, Nehalem" },
    { "sandybridge", "Intel Sandy Bridge" },
    { "haswell", "Intel Haswell: SMEP" },
    { "broadwell", "Intel Broadwell: SMAP" },
    { NULL, NULL },
};

static const int engine_models[] = {
    UC_CPU_X86_QEMU32,    UC_CPU_X86_QEMU64,   UC_CPU_X86_486,         UC_CPU_X86_PENTIUM,
    UC_CPU_X86_PENTIUM2,  UC_CPU_X86_PENTIUM3, UC_CPU_X86_COREDUO,     UC_CPU_X86_N270,
    UC_CPU_X86_CORE2DUO,  UC_CPU_X86_NEHALEM,  UC_CPU_X86_SANDYBRIDGE, UC_CPU_X86_HASWELL,
    UC_CPU_X86_BROADWELL,
};

G_STATIC_ASSERT(G_N_ELEMENTS(models) == G_N_ELEMENTS(engine_models) + 1);

const EmuCpuModel *emu_cpu_models(void)
{
    return models;
}

int emu_cpu_model_find(const char *name, GError **error)
{
    GString *names = g_string_new(NULL);

    for (unsigned i = 0; models[i].name != NULL; i++) {
        if (g_ascii_strcasecmp(models[i].name, name) == 0) {
            g_string_free(names, TRUE);
            return engine_models[i];
        }
        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", models[i].name);
    }
    g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID, "no CPU model '%s'; there are: %s", name,
                names->str);
    g_string_free(names, TRUE);
    return -1;
}
