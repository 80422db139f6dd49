"""Runs llama.cpp's converter; a script of its own, with the converter's folder in front.

Arguments: the converter's folder, the name of the tokenizer's splitter for the case that the
converter does not know the tokenizer (or an empty text), then those of the converter.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the converter once."""
    folder, splitter, *arguments = sys.argv[1:]
    # This script's folder goes: its modules are none of the converter's.
    sys.path[:1] = [folder, folder + "/gguf-py"]
    import convert_hf_to_gguf
    from conversion import ModelBase, ModelType, get_model_architecture, get_model_class
    from conversion.base import TextModel

    known = TextModel.get_vocab_base_pre

    def by_hash_or_by_splitter(self: object, tokenizer: object) -> str:
        try:
            return str(known(self, tokenizer))
        except NotImplementedError:
            if not splitter:
                raise
            print(
                f"NOTE: The converter does not know this vocabulary. Its text is split as "
                f"{splitter!r} does, so that name was written.",
                flush=True,
            )
            return splitter

    TextModel.get_vocab_base_pre = by_hash_or_by_splitter
    if "--mmproj" not in arguments:
        from pathlib import Path

        kind = get_model_architecture(
            ModelBase.load_hparams(Path(arguments[0]), False), ModelType.TEXT
        )
        try:
            # Heads that predict further tokens are not used, and merged models have none.
            if get_model_class(kind).supports_mtp_export:
                arguments.append("--no-mtp")
        except (NotImplementedError, AttributeError):
            pass  # the converter itself says what is wrong
    sys.argv = ["convert_hf_to_gguf", *arguments]
    convert_hf_to_gguf.main()


if __name__ == "__main__":
    main()
