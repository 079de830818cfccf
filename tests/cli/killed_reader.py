"""`minirnn`, to which any text is long, and which stops in the middle of cutting it or of keeping its tokens, to be
killed there; see `test_kept_tokens.py`.

    python killed_reader.py cutting|keeping ARGUMENTS
"""

import sys
import time

from minirnn.cli.main import main
from minirnn.data import corpus, token_file


def stopping_after(count, write):
    """`write`, but that before it is done for the last of so many times it says so, and waits."""
    left = [count]

    def writing(*arguments):
        left[0] -= 1
        if left[0] == 0:
            print("stopped", file=sys.__stdout__, flush=True)
            time.sleep(60)
        return write(*arguments)

    return writing


if __name__ == "__main__":
    where, *arguments = sys.argv[1:]
    corpus.IN_MEMORY, token_file.PIECE = 0, 100
    if where == "cutting":
        corpus.Corpus.encode = stopping_after(1, corpus.Corpus.encode)
    else:
        corpus.Scratch.read = stopping_after(5, corpus.Scratch.read)
    main(arguments)
