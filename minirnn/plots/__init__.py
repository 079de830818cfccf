"""Pictures, where matplotlib is installed, and the same in text. Nothing else imports matplotlib."""

from minirnn.plots.attention import AttentionMap, plot_attention, plot_attentions
from minirnn.plots.curves import plot_lengths, plot_losses
from minirnn.plots.text import bars, chart

__all__ = [
    "AttentionMap",
    "bars",
    "chart",
    "plot_attention",
    "plot_attentions",
    "plot_lengths",
    "plot_losses",
]
