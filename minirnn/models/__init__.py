"""Models: layers put together for a job."""

from minirnn.models.classifier import SequenceClassifier
from minirnn.models.cloze import ClozeModel
from minirnn.models.conditions import CaptionCondition, ClassCondition
from minirnn.models.copying import CopyingDecoder
from minirnn.models.decoders import AttentionDecoder, ContextDecoder, Decoder, HandoverDecoder, MergeDecoder
from minirnn.models.drawing import PictureModel, RasterModel
from minirnn.models.encoders import Bridge, Encoder, RecurrentEncoder
from minirnn.models.grid_drawing import DiagonalModel, RowModel
from minirnn.models.history_encoders import FlatEncoder, HierarchicalEncoder
from minirnn.models.language_model import LanguageModel
from minirnn.models.neighbour_counts import NeighbourCounts
from minirnn.models.ngram import NGram
from minirnn.models.picture_encoders import PictureEncoder, RegionEncoder, VideoEncoder
from minirnn.models.seq2seq import EncoderDecoder

__all__ = [
    "AttentionDecoder",
    "Bridge",
    "CaptionCondition",
    "ClassCondition",
    "ClozeModel",
    "ContextDecoder",
    "CopyingDecoder",
    "Decoder",
    "DiagonalModel",
    "Encoder",
    "EncoderDecoder",
    "FlatEncoder",
    "HandoverDecoder",
    "HierarchicalEncoder",
    "LanguageModel",
    "MergeDecoder",
    "NGram",
    "NeighbourCounts",
    "PictureEncoder",
    "PictureModel",
    "RasterModel",
    "RecurrentEncoder",
    "RegionEncoder",
    "RowModel",
    "SequenceClassifier",
    "VideoEncoder",
]
