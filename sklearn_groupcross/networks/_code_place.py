"""Where the code of a network of one's own is found, in this process and in those it talks to."""

from __future__ import annotations

import hashlib
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any


class CodePlace:
    """A folder in which Python finds modules first, and a file that is a module.

    Both are so where this is unpickled, and what is pickled behind it may refer to them. With
    ``python -P``, the path stays as it is.

    Parameters
    ----------
    folder : path
    file : path, optional
        Run under a name of its own, which no other module has, once for as long as it stays as it
        is.
    name : str, optional
        Its name as a module. Default: made of its own name, its place and its content.

    Raises
    ------
    Exception
        Whatever the file raises when it runs.
    """

    def __init__(self, folder: str | Path, file: str | Path | None = None, name: str = "") -> None:
        self.folder = str(folder)
        self.file = None if file is None else str(file)
        if not getattr(sys.flags, "safe_path", False) and self.folder not in sys.path:
            sys.path.insert(0, self.folder)
        self.name = name or ("" if file is None else _name_of(Path(file)))
        if self.file is not None and self.name not in sys.modules:
            _run_file(self.file, self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return CodePlace, (self.folder, self.file, self.name)

    @property
    def module(self) -> ModuleType:
        """The file as a module."""
        return sys.modules[self.name]


def _name_of(file: Path) -> str:
    state = hashlib.blake2b(str(file).encode(errors="surrogateescape"), digest_size=8)
    state.update(file.read_bytes())
    return f"{file.stem.replace('.', '_')}_{state.hexdigest()}"


class _FromSource(SourceFileLoader):
    """Runs what the file holds now.

    Of kept bytecode Python compares the file's length and the second in which it was changed: a
    file that changes twice in one second would be run as it was.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def _run_file(file: str, name: str) -> None:
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file: its name does not end in .py")
    if isinstance(spec.loader, SourceFileLoader):
        spec.loader = _FromSource(name, file)
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
