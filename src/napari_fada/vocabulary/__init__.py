"""The closed vocabulary: classes, groups, view labels, colours and their frozen numbers.

Everything that names a structure gets its identifier, its colour and the kinds of annotation
it may have from here, never from sorting what happens to be present.
"""

from napari_fada.vocabulary.loader import (
    Category,
    Group,
    Reason,
    View,
    Vocabulary,
    VocabularyError,
    vocabulary,
)

__all__ = ["Category", "Group", "Reason", "View", "Vocabulary", "VocabularyError", "vocabulary"]
