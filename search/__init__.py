"""Search: data types, strategies, step formats, grading and storage. Pure Python: no Ray, torch or vLLM."""
