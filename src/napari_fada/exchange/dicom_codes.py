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
_LOINC: dict[str, tuple[str, str]] = {
    "hc": ("11984-2", "Head Circumference"),
    "bpd_oo": ("11820-8", "Biparietal Diameter"),
    "ofd": ("11851-3", "Occipital-Frontal Diameter"),
    "cephalic_index": ("11823-2", "Cephalic Index"),
    "ac": ("11979-2", "Abdominal Circumference"),
    "apad": ("11818-2", "Anterior-Posterior Abdominal Diameter"),
    "tad": ("11862-0", "Transverse Abdominal Diameter"),
    "fl": ("11963-6", "Femur Length"),
    "crl": ("11957-8", "Crown Rump Length"),
    "nt": ("33069-6", "Nuchal Translucency"),
    "lv_width": ("12171-5", "Lateral Ventricle width"),
}
_MORE: dict[str, tuple[str, str]] = {
    "area": ("42798000", "Area"),
    "length": ("410668003", "Length"),
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


def measurement_code(name: str) -> Any:
    """Return the coded concept of a measurement by its name in ``measure``."""
    from highdicom.sr import CodedConcept

    if name in _LOINC:
        value, meaning = _LOINC[name]
        return CodedConcept(value, "LN", meaning)
    if name in _MORE:
        value, meaning = _MORE[name]
        return CodedConcept(value, "SCT", meaning)
    return CodedConcept(f"measurement-{name}"[:16], SCHEME, name.replace("_", " "))
