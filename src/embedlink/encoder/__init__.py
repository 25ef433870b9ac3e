"""The context model: windows and names in, unit vectors out.

Texts with spans come in; token sequences, states and unit vectors go out. Which concept a vector
means is decided in `linking`.
"""
