"""`python -m botswain_execution`."""

from botswain_execution.main import main

main()
