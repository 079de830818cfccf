"""Models: layers put together for a job."""

from minirnn.models.classifier import SequenceClassifier
from minirnn.models.cloze import ClozeModel
from minirnn.models.decoders import AttentionDecoder, ContextDecoder, Decoder, HandoverDecoder, MergeDecoder
from minirnn.models.encoders import Bridge, Encoder, RecurrentEncoder
from minirnn.models.language_model import LanguageModel
from minirnn.models.ngram import NGram
from minirnn.models.picture_encoders import PictureEncoder, RegionEncoder, VideoEncoder
from minirnn.models.seq2seq import EncoderDecoder

__all__ = [
    "AttentionDecoder",
    "Bridge",
    "ClozeModel",
    "ContextDecoder",
    "Decoder",
    "Encoder",
    "EncoderDecoder",
    "HandoverDecoder",
    "LanguageModel",
    "MergeDecoder",
    "NGram",
    "PictureEncoder",
    "RecurrentEncoder",
    "RegionEncoder",
    "SequenceClassifier",
    "VideoEncoder",
]
