"""Text that is expensive to normalise: combining marks in the wrong order, which an insertion sort must move far."""

import time
from collections.abc import Callable


def cost(normalise: Callable[[str], object], number: int) -> float:
    """Return the processor time in seconds that a function takes for a letter with this many marks."""
    text = "a" + "\u0301" * (number // 2) + "\u0323" * (number // 2)

    def once() -> float:
        began = time.process_time()
        normalise(text)
        return time.process_time() - began

    return min(once() for _ in range(3))
