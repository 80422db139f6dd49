"""Small GGUF files with the metadata of real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from napari_fada.models.pack import Pack, PackFile


def write_gguf(path: Path, architecture: str, fields: dict[str, Any], tensors: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in fields.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)
    for number in range(tensors):
        values = np.arange(96, dtype=np.float32).reshape(3, 32) + number
        if number:  # a quantised one among them, so that block sizes matter
            quantised = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(f"t{number}", quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor("t0", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_text(path: Path, width: int = 192, tensors: int = 2, **fields: Any) -> Path:
    architecture = fields.pop("architecture", "qwen35")
    return write_gguf(
        path,
        architecture,
        {
            "general.type": "model",
            "general.name": "tiny",
            "general.file_type": 15,
            f"{architecture}.embedding_length": width,
            "tokenizer.ggml.tokens": ["a", "", "bc" * 300],
            "tokenizer.ggml.token_type": [1, 1, 3],
        }
        | fields,
        tensors,
    )


def write_vision(path: Path, width: int = 192, **fields: Any) -> Path:
    return write_gguf(
        path,
        "clip",
        {
            "general.type": "mmproj",
            "general.name": "tiny",
            "general.file_type": 1,
            "clip.has_vision_encoder": True,
            "clip.projector_type": "qwen3vl_merger",
            "clip.vision.projection_dim": width,
            "clip.vision.image_mean": [0.5, 0.5, 0.5],
        }
        | fields,
    )


def write_pack(folder: Path, name: str = "tiny", **changes: Any) -> Path:
    text = write_text(folder / "text.gguf")
    vision = write_vision(folder / "vision.gguf")
    pack = Pack(
        name,
        folder,
        PackFile.of(text),
        PackFile.of(vision),
        version="1.0",
        image_size=(256, 192),
        classes=("Brain", "fetal_head"),
        keypoints=("CRL_KP",),
        licence="BSD-3-Clause",
    )
    data = pack.to_dict() | changes
    (folder / "pack.json").write_text(json.dumps(data), encoding="utf-8")
    return folder
