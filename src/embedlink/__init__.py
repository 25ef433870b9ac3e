"""EmbedLink trains, compares and ships embedding entity linkers for MedCAT.

Importing it switches off the telemetry of the libraries it uses: notes are patient data. It also
keeps MedCAT from asking the package index for its newest version.
"""

import os

__version__ = "0.1.0"

for _switch in (
    "MLFLOW_DISABLE_TELEMETRY",
    "DO_NOT_TRACK",
    "HF_HUB_DISABLE_TELEMETRY",
    "MEDCAT_DISABLE_VERSION_CHECK",
):
    os.environ.setdefault(_switch, "true")
