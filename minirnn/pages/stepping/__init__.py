"""A page to go through one backward pass, line by line.

`lessons.py` says what is run; `recording.py` runs it and notes every line with its numbers; `translation.py` turns the
same source into JavaScript, so that the page computes with it when a reader changes a number; `backward_pass.py` puts
the page together. What happens in the browser is in `assets/`: first `numbers.js`, NumPy's words for the translated
source, then `model.js`, the events, and what is shown of them.
"""
