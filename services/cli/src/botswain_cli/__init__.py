"""The `botswain` command: starts the platform on one machine, shows what it does, asks how it is. It decides nothing else.

Modules load what they need when a command runs, so that `botswain --help` answers at once.
"""
