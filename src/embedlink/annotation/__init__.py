"""Annotates many notes with a model pack, on one machine or on a cluster.

Notes and a pack come in. A folder of parquet parts with one row for each link goes out. It is a
room of its own because it uses packs as anybody does who loads one: without a run, a configuration
or training. How a note is linked does not belong here.
"""
