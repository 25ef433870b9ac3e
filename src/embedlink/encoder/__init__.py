"""The context model: windows and names in, unit vectors out.

Texts with spans come in, and token sequences, states and unit vectors go out. Which concept a
vector means does not belong here: that is chosen in `linking`.
"""
