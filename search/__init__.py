"""What a search is: vocabulary, strategies, step formats, grading, storage. Pure Python: no Ray, torch or vLLM."""
