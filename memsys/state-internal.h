/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What memsys' own users of the container need beyond its public functions.
 */
#pragma once

#include "memsys/state_file.h"
