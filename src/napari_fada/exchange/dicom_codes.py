"""Codes for our classes: SNOMED CT where the anatomy has one, else a scheme of ours.

Sources: DICOM PS3.16 and the SNOMED CT subset that DICOM may use; LOINC for fetal biometry.
"""

from __future__ import annotations

from typing import Any

from napari_fada.vocabulary import vocabulary

#: Class: code and meaning.
_SCT: dict[str, tuple[str, str]] = {
    "AB": ("818981001", "Abdomen"),
    "Brain": ("12738006", "Brain"),
    "CSP": ("74968005", "Cavum septi pellucidi"),
    "H": ("69536005", "Head"),
    "LV": ("66720007", "Lateral ventricle of brain"),
    "NB": ("74386004", "Nasal bone"),
    "NT": ("4658004", "Skin of nape of neck"),
    "abdomen": ("818981001", "Abdomen"),
    "artery": ("50536004", "Umbilical artery"),
    "cardiac": ("80891009", "Heart"),
    "fetal_head": ("69536005", "Head"),
    "head": ("69536005", "Head"),
    "nasal_bone": ("74386004", "Nasal bone"),
    "pubic_symphysis": ("82561000", "Pubic symphysis"),
    "stomach": ("69695003", "Stomach"),
    "thorax": ("816094009", "Thorax"),
    "vein": ("367567000", "Umbilical vein"),
}

#: Measurements: LOINC code and meaning.
LOINC: dict[str, tuple[str, str]] = {
    "hc": ("11984-2", "Head Circumference"),
    "bpd": ("11820-8", "Biparietal Diameter"),
    "ofd": ("11851-3", "Occipital-Frontal Diameter"),
    "crl": ("11957-8", "Crown Rump Length"),
    "nt": ("33069-6", "Nuchal Translucency"),
}

SCHEME = "99FADA"


def class_code(name: str) -> Any:
    """Return the coded concept of a class (a ``highdicom.sr.CodedConcept``)."""
    from highdicom.sr import CodedConcept

    if name in _SCT:
        value, meaning = _SCT[name]
        return CodedConcept(value, "SCT", meaning)
    category = vocabulary().by_name[name]
    return CodedConcept(f"class-{category.id}", SCHEME, category.long_name[:64])


def structure_code() -> Any:
    """Return the concept "anatomical structure"."""
    from highdicom.sr import CodedConcept

    return CodedConcept("91723000", "SCT", "Anatomical structure")


def loinc(name: str) -> Any:
    """Return the coded concept of a measurement."""
    from highdicom.sr import CodedConcept

    value, meaning = LOINC[name]
    return CodedConcept(value, "LN", meaning)
