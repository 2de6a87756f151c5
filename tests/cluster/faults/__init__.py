"""Three daemons under load on one PostgreSQL, and one fault after another: what is lost, doubled, late.

`python -m tests.cluster.faults --seed 1 --faults 30` plays them and prints a table; `--soak 20` looks for
twenty minutes whether memory and connections stay what they are. `test_short_form.py` plays two.
"""
