"""`python -m minirnn` is the command `minirnn`."""

from minirnn.cli.main import main

if __name__ == "__main__":
    main()
