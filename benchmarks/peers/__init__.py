"""What Alluvia is compared with. Peers run in environments of their own: their pins conflict.

`make bench` makes `.venv-peers` (CapyMOA, river, scikit-learn) and `.venv-quix` (Quix Streams and
river); PEERS_PYTHON and QUIX_PYTHON name other interpreters. Nothing here that runs in them
imports Alluvia.
"""
