"""Concept databases: read, extended, and laid out as rows.

A pack, a table or a release comes in. MedCAT's database and the table of its names go out. Vectors
and decisions do not belong here.
"""
