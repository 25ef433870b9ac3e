"""EmbedLink inside MedCAT: importing this registers its components, without torch.

MedCAT imports it by itself (entry point `medcat.plugins`): a pack that names one of them loads
wherever EmbedLink is installed.
"""

from embedlink.plugin import register

register()
