"""Exercises: write a piece of the engine yourself, and hear where a gradient is wrong and why.

`minirnn exercise` on the command line; in a notebook, define the function and `check` it. Of a wrong answer to
"rnn-backward" it says

    rnn-backward: One step of a simple recurrent network, back

      da       right
      dh_prev  wrong: dh_prev lacks a transpose: Uᵀ belongs where you have U
      dx       right
      dW       right
      dU       wrong: dU is made with h where h_prev belongs: this is the gradient for h_t where h_{t-1} belongs,
               for U multiplied h_{t-1}
      db       wrong: db takes the mean where the sum belongs: da.sum(axis=1)

It finds the mistake by making it: some hundred mistakes are planted in the equations in turn, until one gives the
learner's numbers. To add an exercise, write an `Exercise` in `sheets/`: what goes in, what comes out, the engine's own
way to it, and the equations to plant mistakes in.
"""

from minirnn.exercises.catalogue import EXERCISES, find
from minirnn.exercises.exercise import Exercise
from minirnn.exercises.report import Report, check

__all__ = ["EXERCISES", "Exercise", "Report", "check", "find"]
