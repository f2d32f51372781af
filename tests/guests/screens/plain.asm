; SPDX-License-Identifier: GPL-2.0-or-later
; Draws nothing: what firmware wrote stays.
%include "screen.inc"

draw:
    jmp shown
end_of_image
