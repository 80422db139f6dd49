"""The dock "FADA models": what is on this computer, what can be had, and what is done with it."""
