"""What holds floating-point results fixed: the last bits depend on the processor and on the number of threads."""

import os

# Each library reads these once, when it is loaded.
ARITHMETIC = {
    "OPENBLAS_CORETYPE": "Haswell",  # OpenBLAS otherwise picks a kernel for the processor it meets
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",  # numpy's exp and log differ by vector unit
    "OPENBLAS_NUM_THREADS": "1",  # the order of a sum depends on how it was shared out
    "OMP_NUM_THREADS": "1",
}


def pin_arithmetic() -> None:
    """Make floating-point results the same on every x86-64 processor; call it before numpy is loaded."""
    os.environ.update(ARITHMETIC)
