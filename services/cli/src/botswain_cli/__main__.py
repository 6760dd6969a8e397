"""`python -m botswain_cli` is `botswain`."""

from botswain_cli.main import main

main()
