"""`python -m botswain_simulator`."""

import sys

from botswain_simulator.main import main

sys.exit(main())
