import pandas as pd
import pytest

from embedlink.annotation.job import annotate_notes
from embedlink.annotation.local import LocalEngine
from embedlink.annotation.on_ray import RayEngine
from embedlink.corpora.unlabelled import NoteFiles
from embedlink.problems import EmbedLinkError

ray = pytest.importorskip("ray", reason="pip install embedlink[ray]")


def test_a_cluster_of_two_nodes_writes_the_same(pack, notes, tmp_path):
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    source = NoteFiles(str(notes), id_column="id")
    try:
        engine = RayEngine(cluster.address)
        annotate_notes(pack, source, tmp_path / "cluster", engine, notes_per_part=2)
        assert len({node["NodeID"] for node in ray.nodes() if node["Alive"]}) == 2
    finally:
        ray.shutdown()
        cluster.shutdown()
    annotate_notes(pack, source, tmp_path / "here", LocalEngine(1), notes_per_part=2)
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "cluster"), pd.read_parquet(tmp_path / "here")
    )


def test_a_cluster_that_is_not_there_is_named(pack, notes, tmp_path):
    source = NoteFiles(str(notes))
    with pytest.raises(EmbedLinkError, match=r"ray.address=auto"):
        annotate_notes(pack, source, tmp_path / "links", RayEngine())
