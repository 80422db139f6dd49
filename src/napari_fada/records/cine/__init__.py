"""Annotations over the frames of a clip: copied, interpolated, carried along by optical flow.

What comes out are proposals of their own, never the expert's word: their ``source`` says how
they were made. Nothing an expert said, locked or reviewed is changed.
"""
