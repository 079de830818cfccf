"""Models: layers put together for a job."""

from minirnn.models.language_model import LanguageModel

__all__ = ["LanguageModel"]
