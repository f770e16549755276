"""A small, fast network learns what a trained one says: of the user's photos, and of others.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network" (2015). `distilling` knows
the order; `teacher` opens a run and scores; `pool` keeps photos small, with those scores; `lessons`
says what is drawn and what is to be answered; `views` changes pictures; `learning` learns;
`comparing` puts both side by side. `students` alone builds networks.
"""
