"""`python -m photosort_trainer`: the same as `photosort-train`."""

from photosort_trainer.commands import main

main()
