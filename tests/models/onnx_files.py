"""Tiny ONNX networks written byte by byte (onnx.proto3 field numbers), so that tests need no exporter."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FLOAT, INT64 = 1, 7
_INT, _INTS = 2, 7
Shape = tuple["int | str", ...]


def channel_means(path: Path, shape: Shape = ("n", 3, 8, 8), axes: Sequence[int] = (2, 3)) -> Path:
    """Write a network whose output [N, 3] is the mean of each colour."""
    node = _node("ReduceMean", ["x"], ["y"], _ints("axes", axes), _int("keepdims", 0))
    return _write(path, [node], [("x", shape)], [("y", ("n", 3))])


def softmax_of_channels(path: Path) -> Path:
    """Write a network whose output [N, 3] is a softmax over the mean of each colour."""
    mean = _node("ReduceMean", ["x"], ["m"], _ints("axes", (2, 3)), _int("keepdims", 0))
    return _write(
        path,
        [mean, _node("Softmax", ["m"], ["y"], _int("axis", 1))],
        [("x", ("n", 3, 8, 8))],
        [("y", ("n", 3))],
    )


def loudest(path: Path) -> Path:
    """Write a network over waveforms [N, T] with the output [greatest sample, -smallest sample]."""
    nodes = [
        _node("ReduceMax", ["x"], ["high"], _ints("axes", (1,)), _int("keepdims", 1)),
        _node("Neg", ["x"], ["negative"]),
        _node("ReduceMax", ["negative"], ["low"], _ints("axes", (1,)), _int("keepdims", 1)),
        _node("Concat", ["high", "low"], ["y"], _int("axis", 1)),
    ]
    return _write(path, nodes, [("x", ("n", "t"))], [("y", ("n", 2))])


def two_inputs(path: Path) -> Path:
    """Write a network that adds two vectors [N, 2]."""
    sides = [("left", ("n", 2)), ("right", ("n", 2))]
    return _write(path, [_node("Add", ["left", "right"], ["y"])], sides, [("y", ("n", 2))])


def brightest_cells(path: Path) -> Path:
    """Write a face detector for which a face is whatever is white.

    It sees 8 x 8 pixels as 4 x 4 cells. A cell's score is its mean in (x - 127) / 128; its first candidate
    is the cell, and its second, with 0.9 of the score, lies a little around it.
    """
    cells = [(column / 4, row / 4) for row in range(4) for column in range(4)]
    boxes = [[x - m, y - m, x + 0.25 + m, y + 0.25 + m] for m in (0.0, 0.02) for x, y in cells]
    nodes = [
        _node("AveragePool", ["x"], ["p"], _ints("kernel_shape", (2, 2)), _ints("strides", (2, 2))),
        _node("ReduceMean", ["p"], ["m"], _ints("axes", (1,)), _int("keepdims", 0)),
        _node("Reshape", ["m", "column"], ["first"]),
        _node("Mul", ["first", "share"], ["second"]),
        _node("Concat", ["first", "second"], ["face"], _int("axis", 1)),
        _node("Neg", ["face"], ["background"]),
        _node("Concat", ["background", "face"], ["scores"], _int("axis", 2)),
        _node("Identity", ["candidates"], ["boxes"]),
    ]
    constants = [
        _constant("column", (3,), struct.pack("<3q", 1, 16, 1), INT64),
        _constant("share", (1,), struct.pack("<f", 0.9), FLOAT),
        _constant("candidates", (1, 32, 4), struct.pack("<128f", *(v for box in boxes for v in box)), FLOAT),
    ]
    outputs = [("scores", (1, 32, 2)), ("boxes", (1, 32, 4))]
    return _write(path, nodes, [("x", (1, 3, 8, 8))], outputs, constants)


def _write(
    path: Path, nodes: Sequence[bytes], inputs: Sequence, outputs: Sequence, constants: Sequence[bytes] = ()
) -> Path:
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, b"g")
    graph += b"".join(_field(5, constant) for constant in constants)
    graph += b"".join(_field(11, _value(*i)) for i in inputs) + b"".join(
        _field(12, _value(*o)) for o in outputs
    )
    opset = _field(8, _number(2, 13))
    path.write_bytes(_number(1, 8) + opset + _field(7, graph))
    return path


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str], *attributes: bytes) -> bytes:
    names = b"".join(_field(1, i.encode()) for i in inputs) + b"".join(_field(2, o.encode()) for o in outputs)
    return names + _field(4, kind.encode()) + b"".join(_field(5, a) for a in attributes)


def _constant(name: str, shape: Sequence[int], raw: bytes, kind: int) -> bytes:
    dims = b"".join(_number(1, side) for side in shape)
    return dims + _number(2, kind) + _field(8, name.encode()) + _field(9, raw)


def _int(name: str, value: int) -> bytes:
    return _field(1, name.encode()) + _number(3, value) + _number(20, _INT)


def _ints(name: str, values: Sequence[int]) -> bytes:
    return _field(1, name.encode()) + b"".join(_number(8, v) for v in values) + _number(20, _INTS)


def _value(name: str, shape: Shape) -> bytes:
    axes = b"".join(_field(1, _number(1, a) if isinstance(a, int) else _field(2, a.encode())) for a in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, FLOAT) + _field(2, axes)))


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data
