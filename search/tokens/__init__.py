"""Token ids: pieces of text to ids and back, and the ids of steps as the policy drew them."""

from search.tokens.drawn_ids import Vocabulary, read_vocabulary, vocabulary_digest
from search.tokens.encoder import TokenEncoder, piece_text

__all__ = ["TokenEncoder", "Vocabulary", "piece_text", "read_vocabulary", "vocabulary_digest"]
