"""Sets the clock of a whole Python process wrong: Python imports this at its start when the folder is on its path."""

import os
import time

_right = time.time
_offset = float(os.environ["E2E_CLOCK_OFFSET"])
time.time = lambda: _right() + _offset
