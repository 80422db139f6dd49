"""Write a form as GBNF, llama.cpp's grammar language.

For other programs that are to ask the same model, and for the test that holds our machine
and llama.cpp's own grammar against each other.
"""

from __future__ import annotations

from napari_fada.engines.forms.machine import ByteClass, Choice, Form, Part, Repeat, Sequence_, Text


class _Writer:
    def __init__(self) -> None:
        self.rules: dict[str, str] = {}
        self.names: dict[Part, str] = {}

    def literal(self, value: bytes) -> str:
        text = value.decode().replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'

    def expression(self, part: Part) -> str:
        if isinstance(part, Text):
            return self.literal(part.value)
        if isinstance(part, ByteClass):
            return part.gbnf
        if isinstance(part, Sequence_):
            return " ".join(self.reference(p) for p in part.parts) or '""'
        if isinstance(part, Choice):
            return part.gbnf or " | ".join(self.reference(p) for p in part.options)
        assert isinstance(part, Repeat)
        return f"{self.reference(part.body)}{{{part.low},{part.high}}}" if part.high else '""'

    def reference(self, part: Part) -> str:
        """Return a name for a compound part (written once), or the expression of a simple one."""
        if isinstance(part, Text | ByteClass):
            return self.expression(part)
        if part not in self.names:
            name = self.names[part] = f"r{len(self.names)}"
            self.rules[name] = self.expression(part)
        return self.names[part]


def to_gbnf(form: Form) -> str:
    """Return the form as GBNF text with the start rule ``root``."""
    writer = _Writer()
    root = writer.expression(form.root)
    rules = [f"root ::= {root}", *(f"{name} ::= {text}" for name, text in writer.rules.items())]
    return "\n".join(rules) + "\n"
