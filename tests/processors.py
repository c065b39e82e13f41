"""Older processors, stood in for by this one with some of its instructions turned off."""

from __future__ import annotations

import os

# numpy's names since 2.4: X86_V3 is AVX2 and FMA, X86_V4 is AVX512; the older names are kept for 2.x.
_AVX512 = [
    "X86_V4",
    "AVX512F",
    "AVX512CD",
    "AVX512_SKX",
    "AVX512_CLX",
    "AVX512_CNL",
    "AVX512_ICL",
    "AVX512_SPR",
]
_AVX2 = ["X86_V3", "AVX2", "FMA3"]

OLDER = {"without AVX512": _AVX512, "without AVX512 and AVX2": [*_AVX512, *_AVX2]}


def environment(name: str) -> dict[str, str] | None:
    """Return the environment for a process on the older processor `name`, ``None`` if this one is older.

    numpy is only told of what it dispatches to and this processor has, as it warns about the rest;
    compiled kernels are built for a processor without extensions.
    """
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    disabled = [f for f in OLDER[name] if f in __cpu_dispatch__ and __cpu_features__.get(f)]
    if not disabled:
        return None
    return {
        **os.environ,
        "NPY_DISABLE_CPU_FEATURES": " ".join(disabled),
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "OPENBLAS_CORETYPE": "Nehalem",  # matrix products too: SSE only
    }
