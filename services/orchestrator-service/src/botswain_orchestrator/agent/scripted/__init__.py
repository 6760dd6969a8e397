"""The embedded model: deterministic, without network; it knows a few commands and says so when asked for `help`."""
