"""`minirnn train`: one file for each task."""

from minirnn.cli.train import caption, chat, classify, cloze, draw, forecast, lm, task, translate

COMMANDS = (lm, translate, task, forecast, classify, caption, draw, chat, cloze)
"""In the order of the help."""
