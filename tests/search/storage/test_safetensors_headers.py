"""Headers of safetensors files as the library writes them."""

from __future__ import annotations

from pathlib import Path

import numpy
from safetensors.numpy import save_file

from search.storage.safetensors_headers import TensorInfo, count_elements, read_header


def test_header_names_the_tensors_of_the_library(tmp_path: Path) -> None:
    tensors = {
        "a": numpy.zeros((2, 3), numpy.float32),
        "b": numpy.zeros(5, numpy.float16),
        "c": numpy.array(1.0, numpy.float32),
    }
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert read_header(tmp_path / "model.safetensors") == {
        "a": TensorInfo("F32", (2, 3)),
        "b": TensorInfo("F16", (5,)),
        "c": TensorInfo("F32", ()),
    }
    assert count_elements([tmp_path / "model.safetensors"]) == {"float32": 7, "float16": 5}
