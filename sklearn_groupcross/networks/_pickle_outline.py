"""What a pickle of weights would build, told without building it."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import Any, BinaryIO, NamedTuple

import torch


class UnsafeError(Exception):
    """A file holds more than tensors, or asks for more memory than it can fill."""


class Storage(NamedTuple):
    """A piece of memory that a pickle asks for."""

    key: str
    n_bytes: int


def check_pickle(opened: BinaryIO) -> list[Storage]:
    """Read one pickle from a file, and list the storages that it asks for.

    Nothing that it names is imported: tensors are stood in for by empty objects.

    Raises
    ------
    UnsafeError
        If it names anything but dicts, lists, numbers, strings and tensors.
    Exception
        Of any kind if it is damaged.
    """
    outline = _Outline(opened)
    outline.load()
    return outline.storages


class _StandIn:
    """Takes the place of whatever a pickle makes."""

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class _StorageType(NamedTuple):
    element_size: int


#: Bytes of an element, by the name of the class that torch writes.
_ELEMENT_SIZES = {
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
    "ComplexDoubleStorage": 16,
    "ComplexFloatStorage": 8,
    "UntypedStorage": 1,
}
_TYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8, torch.int16]
_TYPES += [torch.int32, torch.int64, torch.uint8, torch.bool, torch.complex64, torch.complex128]
_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _StandIn,
    ("torch._utils", "_rebuild_tensor_v2"): _StandIn,
    ("torch._utils", "_rebuild_parameter"): _StandIn,
    ("torch", "Size"): _StandIn,
    ("torch", "device"): _StandIn,
    ("torch.storage", "UntypedStorage"): _StorageType(1),
    **{("torch", name): _StorageType(size) for name, size in _ELEMENT_SIZES.items()},
    **{("torch", str(dtype).removeprefix("torch.")): _StandIn() for dtype in _TYPES},
}
#: Those that `torch.save` writes. Others make memory of a length that is only a number in the file.
# fmt: off
_OPERATIONS = (
    pickle.PROTO, pickle.STOP, pickle.MARK, pickle.GLOBAL, pickle.NEWOBJ, pickle.REDUCE,
    pickle.BUILD, pickle.EMPTY_DICT, pickle.EMPTY_LIST, pickle.EMPTY_TUPLE, pickle.TUPLE,
    pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.APPEND, pickle.APPENDS, pickle.SETITEM,
    pickle.SETITEMS, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.BININT, pickle.BININT1,
    pickle.BININT2, pickle.LONG1, pickle.BINFLOAT, pickle.BINUNICODE, pickle.SHORT_BINSTRING,
    pickle.BINSTRING, pickle.BINPERSID, pickle.BINGET, pickle.LONG_BINGET, pickle.BINPUT,
    pickle.LONG_BINPUT,
)
# fmt: on
_Python = pickle._Unpickler  # that in C makes room for any number of things that a file names


class _Outline(_Python):
    dispatch = {code[0]: _Python.dispatch[code[0]] for code in _OPERATIONS}

    def __init__(self, opened: BinaryIO) -> None:
        super().__init__(opened, encoding="utf-8")
        self.storages: list[Storage] = []

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise UnsafeError(
                f"it asks for {module}.{name}, which is no tensor. Save module.state_dict() alone."
            )
        return _KNOWN[module, name]

    def persistent_load(self, identifier: Any) -> Any:
        kind, storage_type, key, _, length, *_ = identifier
        if kind != "storage" or not isinstance(storage_type, _StorageType):
            raise UnsafeError(f"it asks for a {kind!r} from outside.")
        if not isinstance(length, int) or length < 0:
            raise UnsafeError(f"a storage of it has {length!r} elements.")
        self.storages.append(Storage(str(key), length * storage_type.element_size))
        return _StandIn()
