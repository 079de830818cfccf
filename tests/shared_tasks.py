"""Tasks of every kind, small, in float64 and without dropout, whose batches several ranks share. The last batch of an
epoch is a smaller one wherever a task has such."""

import numpy as np

from minirnn import (
    AttentionDecoder,
    Captioning,
    Chatting,
    ClozeModel,
    EncoderDecoder,
    LanguageModel,
    LanguageModeling,
    RecurrentEncoder,
    RegionEncoder,
    Rewards,
    SequenceClassifier,
    Translation,
)
from minirnn.data.histories import Talk
from minirnn.data.pictures import Preprocessing
from minirnn.data.sights import Regions, Videos
from minirnn.models import VideoEncoder
from minirnn.models.conditions import CaptionCondition, ClassCondition
from minirnn.models.drawing import RasterModel
from minirnn.models.forecasting import RecurrentForecaster, WindowForecaster
from minirnn.models.history_encoders import FlatEncoder, HierarchicalEncoder
from minirnn.models.picture_encoders import PLACE
from minirnn.training.captioning import Captioned
from minirnn.training.classification import Classification
from minirnn.training.cloze import Cloze, ClozeModels
from minirnn.training.drawing import Captions, Classes, Drawing, Drawn
from minirnn.training.forecasting import Forecasting, SideBySide
from minirnn.training.sentences import numbers_as_words

V = 9
NOTHING = np.zeros(0, np.int64)


def sentences(count, seed):
    """So many, of one to six words, with `<eos>`."""
    rng = np.random.default_rng(seed)
    return [np.append(rng.integers(4, V, rng.integers(1, 7)), 2) for _ in range(count)]


def language(rng, dtype=np.float64, partition="sequential", **options):
    model = LanguageModel(V, 6, embedding_size=4, rng=rng, dtype=dtype, **options)
    text = np.random.default_rng(1).integers(0, V, 700)
    return LanguageModeling(model, text, text[:40], batch_size=5, num_steps=6, partition=partition, rng=rng)


def classification(rng):
    model = SequenceClassifier(V, 3, 4, embedding_size=3, rng=rng, dtype=np.float64)
    examples = sentences(22, 1), np.random.default_rng(2).integers(0, 3, 22)
    return Classification(model, examples, ([], NOTHING), batch_size=5, rng=rng)


def cloze(rng):
    models = ClozeModels(*(ClozeModel(V, 3, sides=s, rng=rng, dtype=np.float64) for s in ("left", "right", "both")))
    text = np.random.default_rng(1).integers(0, V, 200)
    return Cloze(models, text, text[:10], batch_size=5, num_steps=6, rng=rng)


def forecast(rng):
    options = {"rng": rng, "dtype": np.float64}
    models = {"linear": WindowForecaster(3, **options), "recurrent": RecurrentForecaster("lstm", 4, **options)}
    series = np.sin(np.arange(80.0))
    return Forecasting(SideBySide(models), series, 60, batch_size=5, num_steps=6, rng=rng)


def drawing(rng, told=None):
    condition = {
        None: lambda: None,
        "classes": lambda: ClassCondition(4, 3, rng=rng, dtype=np.float64),
        "captions": lambda: CaptionCondition(V, 2, 4, rng=rng, dtype=np.float64),
    }[told]()
    model = RasterModel(2, 3, 2, 5, embedding_size=4, condition=condition, rng=rng, dtype=np.float64)
    pictures = np.random.default_rng(1).integers(0, 2, (13, 2, 3)).astype(np.uint8)
    of = {None: None, "classes": Classes(np.arange(13) % 4), "captions": Captions([[s] for s in sentences(13, 2)])}
    return Drawing(model, Drawn(pictures, of[told]), Drawn(pictures[:0], None), batch_size=5, rng=rng)


def decoder(encoder_size, rng, **options):
    return AttentionDecoder(V, 4, 6, encoder_size, rng=rng, dtype=np.float64, **options)


def translation(rng, rewards=None, **options):
    encoder = RecurrentEncoder(V, 4, 6, rng=rng, dtype=np.float64)
    model = EncoderDecoder(encoder, decoder(6, rng), rng=rng, dtype=np.float64)
    task = Translation(model, (sentences(13, 1), sentences(13, 2)), ([], []), batch_size=5, rng=rng, **options)
    if rewards is not None:
        task.train_on(rewards)
    return task


def rewarded(rng, **options):
    """On a reward of the source alone: what ranks draw, which is not the same, changes nothing about it."""
    return translation(rng, Rewards(lambda words, those: len(those[0]) / 10, numbers_as_words, **options))


def captioning(rng, videos=False, **options):
    seen = np.random.default_rng(1)
    captions = [sentences(1 + i % 3, i) for i in range(11)]
    if videos:
        look = Preprocessing(8, (0.5, 0.5, 0.5), (0.3, 0.3, 0.3))
        frames = [seen.integers(0, 256, (1 + i % 3, 8, 8, 3)).astype(np.uint8) for i in range(11)]
        sights, encoder = Videos(frames, look), VideoEncoder(8, 5, 6, filters=2, rng=rng, dtype=np.float64)
    else:
        sights = Regions(seen.standard_normal((11, 3, 5)))
        encoder = RegionEncoder(3, 5, PLACE + 4, rng=rng, dtype=np.float64)
    model = EncoderDecoder(encoder, decoder(encoder.output_size, rng), rng=rng, dtype=np.float64)
    return Captioning(model, Captioned(sights, captions), Captioned(Regions(seen.random((0, 3, 5))), []),
                      batch_size=4, rng=rng, **options)  # fmt: skip


def chatting(rng, flat=False):
    spoken = [sentences(3 + i % 4, i) for i in range(6)]
    sizes, options = (V, 4, 6), {"rng": rng, "dtype": np.float64}
    encoder = FlatEncoder(*sizes, **options) if flat else HierarchicalEncoder(*sizes, 6, words=True, **options)
    model = EncoderDecoder(encoder, decoder(encoder.output_size, rng), bridge="learned", rng=rng, dtype=np.float64)
    return Chatting(model, Talk(spoken), Talk([]), batch_size=5, rng=rng)


TASKS = {
    "language": language,
    "language, random": lambda rng: language(rng, partition="random"),
    "classification": classification,
    "cloze": cloze,
    "forecast": forecast,
    "drawing": drawing,
    "drawing, classes": lambda rng: drawing(rng, "classes"),
    "drawing, captions": lambda rng: drawing(rng, "captions"),
    "translation": lambda rng: translation(rng, label_smoothing=0.1),
    "translation, penalty": lambda rng: translation(rng, attention_penalty=0.7),
    "captioning": lambda rng: captioning(rng, attention_penalty=0.7),
    "captioning, videos": lambda rng: captioning(rng, videos=True),
    "chatting": chatting,
    "chatting, flat": lambda rng: chatting(rng, flat=True),
}
