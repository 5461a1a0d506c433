"""The witness: whoever asks it, in whatever order, it signs one history of each log."""
