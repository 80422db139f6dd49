"""Training room: phantoms, and the recipe of the embedded model ``fada-mini``.

The rendering half (`napari_fada.training.phantoms`) needs numpy and scikit-image only.
Everything that learns needs PyTorch and imports it inside its own module, so importing
this package stays cheap.
"""
