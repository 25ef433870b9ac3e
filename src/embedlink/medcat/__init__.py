"""EmbedLink inside MedCAT: linking components, their training there, and model packs.

A linker and MedCAT's documents come in. Linked entities and packs go out (`pack` says what a pack
holds). Choosing concepts does not belong here: `linking` does that, here as in evaluation.

Importing this registers the components, without torch. MedCAT imports it by itself, through the
entry point `medcat.plugins`. So a pack that names one of them loads wherever EmbedLink
is installed.
"""

from embedlink.plugin import register

register()
