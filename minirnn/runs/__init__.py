"""Runs: for every kind of run what it can be told, what it keeps of its data, the model built from both, and how it is
opened again.

A file a kind: a table of options, with which a run.json is checked before it is believed; `build_model`; and a loader,
which joins the trained model to its vocabularies. `loading.py` has one way in to all of them.
"""

from minirnn.runs.loading import load

__all__ = ["load"]
