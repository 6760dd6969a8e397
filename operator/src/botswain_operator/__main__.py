"""`python -m botswain_operator`."""

from botswain_operator.main import main

main()
