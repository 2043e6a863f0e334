"""Read the headers of safetensors files: names, types and shapes of the tensors, and whether a file is whole.

A file is the header's length (8 bytes, little-endian), the header (JSON) and the tensors' bytes. Weights are not read.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path

from search.errors import UserError

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000  # the limit of the safetensors library
METADATA = "__metadata__"
# Names of element types in the files, as torch and config.json name them.
DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn"}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor in a file: element type as the file names it ("BF16"), and shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return prod(self.shape)


def read_header(file: Path) -> dict[str, TensorInfo]:
    """Return the tensors of a file by name. Raises UserError if the file is truncated or has no such header."""
    content = read_header_bytes(file)
    size = file.stat().st_size
    try:
        header = json.loads(content)
        tensors = {name: entry for name, entry in header.items() if name != METADATA}
        end = max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
        infos = {name: TensorInfo(entry["dtype"], tuple(entry["shape"])) for name, entry in tensors.items()}
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise UserError(f"{file} is damaged: its header is not that of a safetensors file; copy it again") from error
    expected = LENGTH_BYTES + len(content) + end
    if size != expected:
        fault = "truncated" if size < expected else "damaged"
        raise UserError(
            f"{file} is {fault}: it has {size:,} bytes and its header describes {expected:,}; copy it again"
        )
    return infos


def read_header_bytes(file: Path) -> bytes:
    """Return the JSON of a file's header, unparsed. Raises UserError if it is cut off or cannot be read."""
    try:
        with file.open("rb") as stream:
            prefix = stream.read(LENGTH_BYTES)
            length = int.from_bytes(prefix, "little")
            if len(prefix) < LENGTH_BYTES or length > MAX_HEADER_BYTES:
                raise UserError(f"{file} is damaged: it does not begin like a safetensors file; copy it again")
            content = stream.read(length)
    except OSError as error:  # such as a link into a cache that was deleted
        raise UserError(f"{file} cannot be read: {error.strerror}; copy it again") from error
    if len(content) < length:
        raise UserError(f"{file} is truncated: its header is cut off; copy it again")
    return content


def count_elements(files: Iterable[Path]) -> Counter[str]:
    """Return how many elements the tensors of all files have, by type as config.json names it."""
    counts: Counter[str] = Counter()
    for file in files:
        for tensor in read_header(file).values():
            counts[DTYPES.get(tensor.dtype, tensor.dtype.lower())] += tensor.elements
    return counts
