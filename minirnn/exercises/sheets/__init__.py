"""The exercises, in the order in which they build on one another."""

from minirnn.exercises.sheets.attention import ATTENTION
from minirnn.exercises.sheets.clipping import CLIP
from minirnn.exercises.sheets.gated import GRU_BACKWARD, LSTM_BACKWARD, LSTM_FORWARD
from minirnn.exercises.sheets.padding import MASKED
from minirnn.exercises.sheets.pieces import EMBEDDING, SLOPES, SOFTMAX
from minirnn.exercises.sheets.sentences import BEAM_STEP, PRECISION
from minirnn.exercises.sheets.simple_rnn import RNN_BACKWARD, RNN_FORWARD
from minirnn.exercises.sheets.through_time import TIME_SUMS, TRUNCATED, TWO_SOURCES

ALL = (
    SLOPES,
    SOFTMAX,
    EMBEDDING,
    RNN_FORWARD,
    RNN_BACKWARD,
    TWO_SOURCES,
    TIME_SUMS,
    TRUNCATED,
    GRU_BACKWARD,
    LSTM_FORWARD,
    LSTM_BACKWARD,
    MASKED,
    ATTENTION,
    CLIP,
    BEAM_STEP,
    PRECISION,
)
