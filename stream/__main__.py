"""`python -m stream` is the command `alluvia`."""

from stream.cli import main

main()
