"""A reading: what one model said about one frame of one scan, in its five phases.

A reading is never changed. What an expert makes of it lives in the project as
new records that point to the annotations in here.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from napari_fada.records.annotation import Annotation

SCHEMA = "fada-reading/1"

Phase = Literal["interpret", "classify", "map", "detect", "segment"]
PhaseState = Literal["done", "empty", "failed", "skipped"]

PHASES: tuple[Phase, ...] = get_args(Phase)

_DOWNSTREAM: dict[Phase, tuple[Phase, ...]] = {
    "interpret": ("map", "detect", "segment"),
    "classify": ("map", "detect", "segment"),
    "map": ("detect", "segment"),
}

INTERPRETATION_KEYS: tuple[str, ...] = (
    "anatomical_structures",
    "fetal_orientation",
    "imaging_plane",
    "biometric_measurements",
    "gestational_age",
    "image_quality",
    "normality_assessment",
    "clinical_recommendations",
)


def downstream(phase: Phase) -> tuple[Phase, ...]:
    """Return the phases whose results a change of this one's makes out of date."""
    return _DOWNSTREAM.get(phase, ())


Variant = Literal["full", "anatomy", "clinical"]

#: Which fields each variant of the interpretation asks for and answers. There is one report; its
#: variants are only ever cut from it, and answers to halves are put together into one.
VARIANTS: MappingABC[Variant, tuple[str, ...]] = {
    "full": INTERPRETATION_KEYS,
    "anatomy": INTERPRETATION_KEYS[:4],
    "clinical": INTERPRETATION_KEYS[4:],
}


@dataclass(frozen=True, slots=True)
class ScanRef:
    """Which frame of which scan; ``spacing_mm`` is (y, x) with where it came from."""

    file: str
    sha256: str
    width: int
    height: int
    frame: int = 0
    spacing_mm: tuple[float, float] | None = None
    spacing_origin: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form (member ``scan`` of a reading)."""
        return {
            "file": self.file,
            "sha256": self.sha256,
            "width": self.width,
            "height": self.height,
            "frame": self.frame,
            "spacing_mm": list(self.spacing_mm) if self.spacing_mm else None,
            "spacing_origin": self.spacing_origin,
        }

    @classmethod
    def from_dict(cls, data: MappingABC[str, Any]) -> ScanRef:
        """Rebuild from the JSON form."""
        spacing = data.get("spacing_mm")
        return cls(
            file=data["file"],
            sha256=data["sha256"],
            width=int(data["width"]),
            height=int(data["height"]),
            frame=int(data.get("frame", 0)),
            spacing_mm=(float(spacing[0]), float(spacing[1])) if spacing else None,
            spacing_origin=data.get("spacing_origin"),
        )


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Provenance of an answer: which weights, asked how, run by what."""

    pack: str
    sha256: str
    prompt_set: str
    prompt_hash: str
    engine: str
    quantisation: str = ""
    versions: MappingABC[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form (member ``model`` of a reading)."""
        return {
            "pack": self.pack,
            "sha256": self.sha256,
            "prompt_set": self.prompt_set,
            "prompt_hash": self.prompt_hash,
            "engine": self.engine,
            "quantisation": self.quantisation,
            "versions": dict(self.versions),
        }

    @classmethod
    def from_dict(cls, data: MappingABC[str, Any]) -> ModelRef:
        """Rebuild from the JSON form."""
        return cls(
            **{k: data.get(k, "") for k in ("pack", "sha256", "prompt_set", "prompt_hash")},
            engine=data.get("engine", ""),
            quantisation=data.get("quantisation", ""),
            versions=dict(data.get("versions", {})),
        )


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """How one phase ended.

    ``done`` found something; ``empty`` answered and found nothing; ``failed`` gave no
    usable answer (``problems`` says why); ``skipped`` was not asked. They are never mixed up.
    """

    state: PhaseState
    seconds: float = 0.0
    tokens: int = 0
    raw: str = ""
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form (member of ``phases``)."""
        return {
            "state": self.state,
            "seconds": round(self.seconds, 4),
            "tokens": self.tokens,
            "raw": self.raw,
            "problems": list(self.problems),
        }

    @classmethod
    def from_dict(cls, data: MappingABC[str, Any]) -> PhaseResult:
        """Rebuild from the JSON form."""
        return cls(
            state=data["state"],
            seconds=float(data.get("seconds", 0.0)),
            tokens=int(data.get("tokens", 0)),
            raw=data.get("raw", ""),
            problems=tuple(data.get("problems", ())),
        )


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which classes to ask for, and the tier of the map phase that said so."""

    detect: tuple[str, ...]
    segment: tuple[str, ...]
    tier: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form (member ``mapping`` of a reading)."""
        return {"detect": list(self.detect), "segment": list(self.segment), "tier": self.tier}

    @classmethod
    def from_dict(cls, data: MappingABC[str, Any]) -> Mapping:
        """Rebuild from the JSON form."""
        return cls(tuple(data["detect"]), tuple(data["segment"]), data["tier"])


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything a model said about one frame. ``to_dict`` gives ``fada-reading/1``."""

    scan: ScanRef
    model: ModelRef
    phases: MappingABC[Phase, PhaseResult] = field(default_factory=dict)
    interpretation: MappingABC[str, str] = field(default_factory=dict)
    view: str | None = None
    mapping: Mapping | None = None
    annotations: tuple[Annotation, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary, schema ``fada-reading/1``."""
        return {
            "schema": SCHEMA,
            "notice": "Research and annotation only. Not a medical device.",
            "scan": self.scan.to_dict(),
            "model": self.model.to_dict(),
            "phases": {p: self.phases[p].to_dict() for p in PHASES if p in self.phases},
            "interpretation": dict(self.interpretation),
            "view": self.view,
            "mapping": self.mapping.to_dict() if self.mapping else None,
            "annotations": [a.to_dict() for a in self.annotations],
        }

    @classmethod
    def from_dict(cls, data: MappingABC[str, Any]) -> Reading:
        """Rebuild a reading from its JSON form.

        Raises
        ------
        ValueError
            If the schema is not ``fada-reading/1``.
        """
        if data.get("schema") != SCHEMA:
            raise ValueError(f"expected schema {SCHEMA}, found {data.get('schema')!r}")
        mapping = data.get("mapping")
        return cls(
            scan=ScanRef.from_dict(data["scan"]),
            model=ModelRef.from_dict(data["model"]),
            phases={
                p: PhaseResult.from_dict(data["phases"][p]) for p in PHASES if p in data["phases"]
            },
            interpretation=dict(data.get("interpretation", {})),
            view=data.get("view"),
            mapping=Mapping.from_dict(mapping) if mapping else None,
            annotations=tuple(Annotation.from_dict(a) for a in data.get("annotations", ())),
        )
