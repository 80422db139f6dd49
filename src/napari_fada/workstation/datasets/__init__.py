"""Data sets in the window: labels come in, data sets go out, and what the model said is scored."""
