"""`minirnn`, to which any text is long, and which notes in the file "readers" which rank has read one."""

import sys

from minirnn.cli import texts
from minirnn.cli.main import main
from minirnn.data import corpus
from minirnn.training.ranks import current

if __name__ == "__main__":
    pieces = texts.text_pieces

    def noted(*arguments, **options):
        with open("readers", "a") as file:
            print(current().rank, file=file)
        return pieces(*arguments, **options)

    texts.text_pieces, corpus.IN_MEMORY = noted, 0
    main(sys.argv[1:])
