"""A trained linker in the forms that other programs load.

A linker folder comes in. A MedCAT pack, upstream's model or a sentence encoder goes out. Training
and measuring do not belong here.
"""
