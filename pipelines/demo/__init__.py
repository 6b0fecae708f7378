"""The demo calls: written dialogues, the generator that speaks them, the audio and its truth.

`dialogues/*.toml` is what is said, `calls/` is what ships: recordings, `manifest.csv`, two sidecar
files, and `truth.jsonl`. `python -m pipelines.demo.generate` makes the second from the first.
Own work throughout: the dialogues are fiction, the speech and the music are generated.
"""
