"""Recipe of the demonstration model: corpus, voices, features, training, conversion, evaluation.

`python -m models.training` runs all of it; `python -m models.training --help` lists the steps.
"""
