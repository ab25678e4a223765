"""Where the private key comes from, what it looks like there, and how old it is.

found.py     what a source gives: text, and the date since when it has it
text.py      that text read: PEM, Kalshi's text file with id and key, or JSON
sources.py   which source it is, by the name of its setting
key_file.py  ring.py  block.py  aws.py  vault.py    one source each
age.py       how old the key is, and whether that is too old

A text that may hold a key travels as a SecretStr. A function that takes it apart returns what is wrong with
it and never raises, and a reader raises only after its `except` has ended: a traceback with local variables,
or an error tracker that follows `__context__`, then finds no frame that holds the key.
"""
