"""The size of a model as a config declares it, for the plan of a run whose model is not at hand."""

from __future__ import annotations

from pydantic import Field, model_validator

from search.config import StrictConfig


class ModelSize(StrictConfig):
    """Layers, widths and vocabulary of a decoder with gated feed-forward layers (Llama, Qwen, Mistral, Gemma)."""

    layers: int = Field(ge=1, description="decoder layers")
    hidden: int = Field(ge=1, description="width of the residual stream")
    intermediate: int = Field(ge=1, description="width of the feed-forward layers")
    heads: int = Field(ge=1, description="attention heads")
    kv_heads: int = Field(ge=1, description="heads of keys and values")
    vocabulary: int = Field(ge=1, description="tokens of the embedding")
    tied_embeddings: bool = Field(True, description="whether the output layer is the embedding")

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> ModelSize:
        if self.hidden % self.heads or self.heads % self.kv_heads:
            raise ValueError(
                f"hidden {self.hidden} must be a multiple of heads {self.heads}, and heads one of kv_heads {self.kv_heads}"
            )
        return self

    def parameters(self) -> int:
        """Return the number of weights, without biases.

        Embedding V h (twice if untied), a layer 2 h^2 + 2 h k + 3 h i + 2 h for width h, k = h kv_heads / heads of keys
        and of values, and feed-forward width i; h for the last norm.
        """
        keys = self.hidden // self.heads * self.kv_heads
        attention = 2 * self.hidden * self.hidden + 2 * self.hidden * keys
        layer = attention + 3 * self.hidden * self.intermediate + 2 * self.hidden
        embeddings = self.vocabulary * self.hidden * (1 if self.tied_embeddings else 2)
        return embeddings + self.layers * layer + self.hidden
