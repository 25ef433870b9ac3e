"""EmbedLink inside MedCAT: importing this registers its components, without torch.

MedCAT imports it by itself, through the entry point `medcat.plugins`. So a pack that names one of
the components loads on every machine that has EmbedLink.
"""

from embedlink.plugin import register

register()
