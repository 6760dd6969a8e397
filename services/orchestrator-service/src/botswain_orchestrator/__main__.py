"""`python -m botswain_orchestrator`."""

import sys

from botswain_orchestrator.main import main

sys.exit(main())
