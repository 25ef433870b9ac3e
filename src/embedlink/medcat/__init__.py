"""EmbedLink inside MedCAT: importing this registers the linking components, without torch."""

from embedlink.medcat.registration import register

register()
