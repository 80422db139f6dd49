"""The parts of the dock widget; each knows the session and nothing of the other parts."""
