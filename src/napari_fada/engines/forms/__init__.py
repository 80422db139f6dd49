"""The forms that answers must take, as machines that any engine can walk.

A form says which bytes may come next. From that follow the tokens that are allowed, and
the text that is certain (where only one continuation exists), whatever runs the model.
"""

from __future__ import annotations

from napari_fada.engines.forms.answers import JsonStyle, form_for
from napari_fada.engines.forms.forced import forced_tokens
from napari_fada.engines.forms.gbnf import to_gbnf
from napari_fada.engines.forms.machine import Form, State
from napari_fada.engines.forms.tokens import TokenTable

__all__ = ["Form", "JsonStyle", "State", "TokenTable", "forced_tokens", "form_for", "to_gbnf"]
