"""`python -m photosortd` is the command `photosortd`."""

from photosortd.commands import main

main()
