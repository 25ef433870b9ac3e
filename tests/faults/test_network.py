"""Nothing reaches beyond the machine: not the main job, and not a pack in use."""

import os
import subprocess
import sys
from pathlib import Path

from embedlink.concepts.names import concept_names
from embedlink.medcat.pack import linking_cat, save_pack

ROOT = Path(__file__).parents[2]
GUARD = """
import ipaddress, runpy, sys

def refuse(event, arguments):
    if event == "socket.getaddrinfo" and arguments[0] not in ("localhost", None, ""):
        asked = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
        check(asked)
    if event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        check(arguments[1][0])

def check(host):
    try:
        inside = ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = host == "localhost"
    if not inside:
        print("REACHED", host, file=sys.stderr, flush=True)
        raise ConnectionError(host)

sys.addaudithook(refuse)
"""


def guarded(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in an empty home, with every socket beyond loopback refused and noted."""
    environment = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
    environment |= {"HOME": str(folder), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [sys.executable, "-c", GUARD + code, *arguments], cwd=folder, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_guard_notices(tmp_path):
    code = "import socket; socket.create_connection(('192.0.2.1', 80))"
    assert "REACHED 192.0.2.1" in guarded(code, folder=tmp_path).stderr


def test_the_main_job_reaches_nothing(tiny_encoder, tmp_path):
    code = f"sys.path.insert(0, {str(ROOT)!r}); runpy.run_path(sys.argv[1], run_name='__main__')"
    done = guarded(
        "sys.argv.pop(0);" + code.replace("sys.argv[1]", "sys.argv[0]"), str(ROOT / "train.py"),
        f"model.encoder={tiny_encoder}", "debug=fast", "limit_documents=6", "detection=variants",
        f"hydra.run.dir={tmp_path / 'run'}", folder=tmp_path,
    )  # fmt: skip
    assert "REACHED" not in done.stderr
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "run" / "pack").is_dir()


def test_a_pack_in_use_reaches_nothing(linker, cdb, tmp_path):
    names = concept_names(cdb)
    linker.save(tmp_path / "linker", names, linker.build_index(names, progress=None))
    save_pack(linking_cat(tmp_path / "linker", cdb), tmp_path / "pack")
    done = guarded(
        "import embedlink\n"
        "from medcat.cat import CAT\n"
        "cat = CAT.load_model_pack(sys.argv[1])\n"
        "print(len(cat.get_entities('A common cold with pyrexia.')['entities']))",
        str(tmp_path / "pack"), folder=tmp_path,
    )  # fmt: skip
    assert "REACHED" not in done.stderr
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-1] == "2"
