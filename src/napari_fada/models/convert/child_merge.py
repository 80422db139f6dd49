"""Merges a LoRA adapter into its base model; a script of its own.

Arguments: the base model's folder, the adapter's, the folder for the result.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path


def fail(reason: str) -> None:
    """End with a reason for the user."""
    print(f"FAILED: {reason}", flush=True)
    sys.exit(1)


def main() -> None:
    """Merge and write."""
    base, adapter, out = map(Path, sys.argv[1:])
    import torch
    from peft import PeftModel
    from safetensors import safe_open
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(
        base, dtype="auto", local_files_only=True, trust_remote_code=False, use_safetensors=True
    )
    print("Writing: 30%|", flush=True)
    try:
        peft = PeftModel.from_pretrained(model, adapter, use_safetensors=True)
    except (ValueError, RuntimeError, KeyError) as error:
        fail(f"the adapter does not fit the base model ({str(error).splitlines()[0][:300]}).")
    # peft only warns when weights of the adapter find no place, and would merge nothing.
    with safe_open(adapter / "adapter_model.safetensors", "pt") as file:
        keys = [key for key in file.keys() if ".lora_B." in key]  # noqa: SIM118 - no mapping
        there = sum(float(file.get_tensor(key).double().abs().sum()) for key in keys)
    placed = [p for name, p in peft.named_parameters() if ".lora_B." in name]
    here = sum(float(p.detach().double().abs().sum()) for p in placed)
    if len(placed) != len(keys) or not math.isclose(here, there, rel_tol=1e-2, abs_tol=1e-6):
        fail(
            f"the adapter does not fit the base model: it has weights for {len(keys)} layers, of "
            f"which those of {len(placed)} were found. Was it made from another model?"
        )
    if keys and there == 0:
        print("NOTE: The adapter changes nothing: all its weights are zero.", flush=True)
    print("Writing: 50%|", flush=True)
    with torch.inference_mode():
        merged = peft.merge_and_unload(safe_merge=True)
    print("Writing: 70%|", flush=True)
    merged.save_pretrained(out, safe_serialization=True)
    print("Writing: 100%|", flush=True)


if __name__ == "__main__":
    main()
