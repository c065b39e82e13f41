"""Python files named by a path: somebody's adapter or front-end, imported as it lies there."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

from merbench.errors import MerbenchError
from merbench.hashing import hash_text

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def import_file(path: Path) -> ModuleType:
    """Import a file under a name of its own; it can import the files beside it.

    Raises:
        MerbenchError: there is no such file, or it fails while being imported.
    """
    if not path.is_file():
        raise MerbenchError(
            f"there is no file {path}", fix="check the path; it is relative to the current folder"
        )
    resolved = path.resolve()
    name = f"_merbench_file_{hash_text(str(resolved))[:12]}"
    spec = spec_from_file_location(name, resolved)
    if spec is None or spec.loader is None:
        raise MerbenchError(f"{path} is not a Python file", fix="give a file that ends in .py")
    if str(resolved.parent) not in sys.path:
        sys.path.append(str(resolved.parent))
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while it is being executed
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise MerbenchError(
            f"{path} cannot be imported: {type(error).__name__}: {error}",
            fix="mend the file, or install what it imports",
        ) from error
    return module
