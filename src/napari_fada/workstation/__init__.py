"""The napari workstation: layers as views of records, the session, the widget.

The only room that imports napari or Qt. Records in the project are the truth; what the
viewer shows is rebuilt from them, and what an expert changes in it becomes a new record.
"""
